-- Health of Hookwright's objects. All kinds of hookwright.dev speak the same conditions, so this is the script of each.
-- Degraded fails a sync of several waves at once, so that only what needs a person is Degraded.
local status = obj.status or {}
local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end
local ready = conditions.Ready or {}
local stalled = conditions.Stalled ~= nil and conditions.Stalled.status == "True"
-- Conditions speak of the generation that was last looked at: after a change they are those of before.
local current = status.observedGeneration == obj.metadata.generation

local function health(code, otherwise)
  return { status = code, message = current and ready.message or otherwise }
end

if obj.metadata.deletionTimestamp ~= nil then
  if current and ready.reason == "DeletionBlocked" then
    return health("Degraded")
  end
  return health("Progressing", "Being deleted")
end
if obj.spec ~= nil and obj.spec.suspend == true then
  return health("Suspended", "spec.suspend is set")
end
if not current then
  return health("Progressing", "Waiting for the operator to look at this generation")
end
-- The remote differs, by a policy that leaves that to a person or because there is no API to write it: nothing is broken.
if stalled and (ready.reason == "Drifted" or ready.reason == "ManualChangeRequired") then
  return health("Suspended")
end
if stalled then
  return health("Degraded")
end
if ready.status == "True" then
  return health("Healthy")
end
return health("Progressing", "Waiting for the operator")
