{{- define "hookwright.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 53 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 53 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "hookwright.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "hookwright.labels" -}}
{{ include "hookwright.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "hookwright.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (include "hookwright.fullname" .) -}}
{{- end -}}

{{- define "hookwright.image" -}}
{{- with .Values.image -}}
{{- printf "%s:%s" .repository (.tag | default $.Chart.AppVersion) -}}
{{- with .digest }}@{{ . }}{{ end -}}
{{- end -}}
{{- end -}}

{{/* One name for what the pods ask for and what the Role allows. */}}
{{- define "hookwright.leaseName" -}}
{{- include "hookwright.fullname" . -}}
{{- end -}}

{{/* What restricted Pod Security asks of a pod, and what the image needs: no user of its own, nothing to write. */}}
{{- define "hookwright.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "hookwright.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}
