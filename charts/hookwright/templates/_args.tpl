{{/* What the operator is started with. Each is a flag of `hookwright run`; a test holds them to its help. */}}
{{- define "hookwright.args" -}}
- run
- --http-addr=0.0.0.0:8080
- --namespace={{ .Release.Namespace }}
- --leader-elect=true
- --lease-name={{ include "hookwright.leaseName" . }}
- --lease-duration={{ .Values.leaderElection.leaseDuration }}
- --resync-interval={{ .Values.resyncInterval }}
- --max-concurrent={{ .Values.maxConcurrent | int }}
- --ownership-marker={{ ternary "on" "off" .Values.ownershipMarker }}
- --secrets-watch={{ .Values.secrets.watch }}
- --log-format={{ .Values.logFormat }}
{{- with .Values.settleTime }}
- --settle-time={{ . }}
{{- end }}
{{- with .Values.clusterId }}
- --cluster-id={{ . }}
{{- end }}
{{- range .Values.watchNamespaces }}
- --watch-namespace={{ . }}
{{- end }}
{{- range .Values.allowedEndpoints }}
- {{ printf "--allowed-endpoint=%s" . | quote }}
{{- end }}
{{- range .Values.allowedReceivers }}
- {{ printf "--allowed-receiver=%s" . | quote }}
{{- end }}
{{- end -}}
