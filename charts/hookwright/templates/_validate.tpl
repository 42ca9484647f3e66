{{/*
What the schema can't say in words. Included by the Deployment, which is always rendered. A pattern in the schema would be
answered with the pattern; here the answer is what to write.
*/}}
{{- define "hookwright.validate" -}}
{{- with .Values -}}
{{- if not .image.repository -}}
{{- fail "image.repository is not set: write where you pushed the image, for example registry.example.com/hookwright" -}}
{{- end -}}
{{- if and .image.digest (not (regexMatch "^sha256:[0-9a-f]{64}$" .image.digest)) -}}
{{- fail (printf "image.digest %q is no digest: write sha256: and 64 hexadecimal digits, or leave it out" .image.digest) -}}
{{- end -}}
{{- if and .fullnameOverride (not (regexMatch "^[a-z]([-a-z0-9]{0,51}[a-z0-9])?$" .fullnameOverride)) -}}
{{- fail (printf "fullnameOverride %q is no name: write at most 53 lower-case letters, digits and dashes, beginning with a letter" .fullnameOverride) -}}
{{- end -}}
{{- if and .watchNamespaces (not .clusterId) -}}
{{- fail "watchNamespaces needs clusterId, because an operator with Roles alone may not read the UID of namespace kube-system: write a text that no other operator has, for example the cluster's name" -}}
{{- end -}}
{{- if and .clusterId (not (regexMatch "^[A-Za-z0-9._-]{1,253}$" .clusterId)) -}}
{{- fail (printf "clusterId %q is no identity: write 1 to 253 letters, digits, dots, dashes and underscores" .clusterId) -}}
{{- end -}}
{{- range .watchNamespaces -}}
{{- if not (regexMatch "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$" .) -}}
{{- fail (printf "watchNamespaces: %q is no name of a namespace: write lower-case letters, digits and dashes, without patterns" .) -}}
{{- end -}}
{{- end -}}
{{- if and (not .serviceAccount.create) (not .serviceAccount.name) -}}
{{- fail "serviceAccount.create is false: write the name of the ServiceAccount that is there as serviceAccount.name" -}}
{{- end -}}
{{- range $name, $value := dict "resyncInterval" .resyncInterval "settleTime" .settleTime "leaderElection.leaseDuration" .leaderElection.leaseDuration -}}
{{- $optional := eq $name "settleTime" -}}
{{- if not (or (regexMatch "^([0-9]+[hms])+$" $value) (and $optional (not $value))) -}}
{{- fail (printf "%s %q is no duration: write for example 30s, 10m or 1h30m" $name $value) -}}
{{- end -}}
{{- if $value -}}
{{- include "hookwright.validateDuration" (dict "name" $name "value" $value "most" (ternary 600 0 (eq $name "leaderElection.leaseDuration"))) -}}
{{- end -}}
{{- end -}}
{{- range $name, $patterns := dict "allowedEndpoints" .allowedEndpoints "allowedReceivers" .allowedReceivers -}}
{{- /* As the operator reads them: a * is a whole label, or the port. */ -}}
{{- $plain := "[^]\\[*/?#@,:.<>^|%\\\\\\s]+" -}}
{{- $label := printf "(%s|\\*)" $plain -}}
{{- $port := "(\\*|[0-5]?[0-9]{1,4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])" -}}
{{- $pattern := printf "^((?i:https?)://)?(\\[[0-9A-Fa-f:.]+\\]|%s(\\.%s)*|%s(\\.%s)*\\.)(:%s)?$" $label $label $plain $plain $port -}}
{{- range $patterns -}}
{{- if not (regexMatch $pattern .) -}}
{{- fail (printf "%s: %q is no pattern: write [scheme://]host[:port], for example https://hooks.example.com or *.example.com" $name .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- /* As RUST_LOG is read: levels, and targets with or without one. */ -}}
{{- $directive := "[A-Za-z0-9_:-]+(\\[[^]]*\\])?(=((?i:off|error|warn|info|debug|trace)|[0-5]))?" -}}
{{- if and .logLevel (not (regexMatch (printf "^%s(,%s)*$" $directive $directive) .logLevel)) -}}
{{- fail (printf "logLevel %q is no filter: write levels, or targets with their levels, with commas between, for example info,hookwright=debug" .logLevel) -}}
{{- end -}}
{{- include "hookwright.validateReceivers" .policy.receivers -}}
{{- end -}}
{{- end -}}

{{/* The bounds of the operator's flags. A schema can't add the parts of a duration up. `most` is in seconds; 0 is no bound. */}}
{{- define "hookwright.validateDuration" -}}
{{- $seconds := 0 -}}
{{- range regexFindAll "[0-9]+[hms]" .value -1 -}}
{{- /* Nine digits are beyond any bound, and their sum does not overflow. A zero in front would make it octal. */ -}}
{{- $number := regexFind "[1-9][0-9]{0,8}" . | int64 -}}
{{- $seconds = add $seconds (mul $number (get (dict "h" 3600 "m" 60 "s" 1) (regexFind "[hms]" .))) -}}
{{- end -}}
{{- if lt $seconds 1 -}}
{{- fail (printf "%s %q is too short: write at least 1s" .name .value) -}}
{{- end -}}
{{- if and .most (gt $seconds (int64 .most)) -}}
{{- fail (printf "%s %q is too long: write at most 10m" .name .value) -}}
{{- end -}}
{{- end -}}

{{- define "hookwright.validateReceivers" -}}
{{- if and .enabled (not .rules) -}}
{{- fail "policy.receivers.enabled is true without rules: write policy.receivers.rules, for example [{name: shops, namespaces: [shop], hosts: [hooks.example.com]}]" -}}
{{- end -}}
{{- if and (has "Deny" .validationActions) (has "Warn" .validationActions) -}}
{{- fail "policy.receivers.validationActions: Deny and Warn exclude each other: write one of them; Audit may stand beside it" -}}
{{- end -}}
{{- $names := list -}}
{{- range .rules -}}
{{- $rule := . -}}
{{- if not (regexMatch "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$" .name) -}}
{{- fail (printf "policy.receivers.rules: name %q is no name: write lower-case letters, digits and dashes" .name) -}}
{{- end -}}
{{- if has .name $names -}}
{{- fail (printf "policy.receivers.rules: name %s is there twice: write another for one of them" .name) -}}
{{- end -}}
{{- $names = append $names .name -}}
{{- if eq (hasKey . "namespaces") (hasKey . "namespaceSelector") -}}
{{- fail (printf "policy.receivers.rules: %s needs exactly one of namespaces and namespaceSelector; every namespace is namespaceSelector: {}" .name) -}}
{{- end -}}
{{- range .hosts -}}
{{- $label := "[a-z0-9]([-a-z0-9]*[a-z0-9])?" -}}
{{- $exact := regexMatch (printf "^%s(\\.%s)*$" $label $label) . -}}
{{- $wild := regexMatch (printf "^\\*(\\.%s)*\\.[a-z]([-a-z0-9]*[a-z0-9])?$" $label) . -}}
{{- if not (or $exact $wild) -}}
{{- fail (printf "policy.receivers.rules: %s: %q is no host: write one in lower case without scheme, port and path, for example hooks.example.com, or *.example.com for one label before it" $rule.name .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
