{{- define "executor.name" -}}
{{- if eq .Release.Name .Chart.Name }}{{ .Chart.Name }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" }}{{ end -}}
{{- end }}

{{- define "executor.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "executor.labels" -}}
{{ include "executor.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "executor.backend" -}}
{{ dig "state" "backend" "sqlite" .Values.config }}
{{- end }}

{{/* What cannot work is refused here, with the line to change. */}}
{{- define "executor.check" -}}
{{- $most := ternary .Values.autoscaling.maxReplicas .Values.replicas .Values.autoscaling.enabled | int -}}
{{- $backend := include "executor.backend" . | trim -}}
{{- if and (gt $most 1) (ne $backend "redis") -}}
{{- fail (printf "%d replicas need config.state.backend: redis (it is %s): each would have approvals and sessions of its own" $most $backend) -}}
{{- end -}}
{{- if and .Values.persistence.enabled (ne $backend "sqlite") -}}
{{- fail (printf "persistence.enabled keeps the file of config.state.backend: sqlite (it is %s)" $backend) -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.host) -}}
{{- fail "ingress.enabled needs ingress.host" -}}
{{- end -}}
{{- end }}
