{{/*
What the operator does in every namespace that it serves, and nothing beyond.
*/}}
{{- define "hookwright.rules" -}}
# Finalizers, and the intent to create, are patches of the object itself. A TaskNotification gets no finalizer, but one that
# somebody copied onto it has to go.
- apiGroups: [hookwright.dev]
  resources: [projectwebhooks, tasknotifications, connections]
  verbs: [list, watch, patch]
- apiGroups: [hookwright.dev]
  resources: [projectwebhooks/status, tasknotifications/status, connections/status]
  verbs: [patch]
# Values are read one by one; list and watch see metadata alone, but Kubernetes has no smaller right for that.
- apiGroups: [""]
  resources: [secrets]
  {{- if .Values.secrets.watch }}
  verbs: [get, list, watch]
  {{- else }}
  verbs: [get]
  {{- end }}
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list, watch]
{{ include "hookwright.ownRules" . }}
{{- end -}}

{{/* What it does in every namespace, and in its own even where that is not served. */}}
{{- define "hookwright.ownRules" -}}
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
# Whether a namespace is being deleted, and its labels.
- apiGroups: [""]
  resources: [namespaces]
  verbs: [get]
{{- end -}}

{{/* A binding's end: roleRef is the caller's. */}}
{{- define "hookwright.subjects" -}}
subjects:
  - kind: ServiceAccount
    name: {{ include "hookwright.serviceAccountName" . }}
    namespace: {{ .Release.Namespace }}
{{- end -}}
