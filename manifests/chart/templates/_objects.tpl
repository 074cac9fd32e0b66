{{- /*
The objects of base/, which are applied as they are without Helm, with the names, labels and values of
this release. Templates take arguments as a list, and change the objects that are in it in place.
*/}}

{{- /* The name that an object of base/ has in this release: (list $ NAME). */}}
{{- define "carillon.name" }}
{{- $root := first . }}
{{- $name := last . }}
{{- $parts := splitList ":" $name }}
{{- $local := last $parts }}
{{- with $root.Values.fullnameOverride }}
{{- $local = printf "%s-%s" (. | trunc 52 | trimSuffix "-") $local }}
{{- end }}
{{- if gt (len $parts) 1 }}
{{- printf "%s:%s" $root.Release.Namespace $local }}
{{- else }}
{{- $local }}
{{- end }}
{{- end }}

{{- /* The service account of a component: (list $ COMPONENT). */}}
{{- define "carillon.account" }}
{{- $account := (get (first .).Values (last .)).serviceAccount }}
{{- $account.name | default (ternary (include "carillon.name" .) "default" $account.create) }}
{{- end }}

{{- /* The value of the label app.kubernetes.io/name. */}}
{{- define "carillon.app" }}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- /* The labels that each object has besides those of base/. */}}
{{- define "carillon.labels" -}}
app.kubernetes.io/name: {{ include "carillon.app" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- /* An object of base/ becomes one of this release: (list $ OBJECT). */}}
{{- define "carillon.adopt" }}
{{- $root := first . }}
{{- $metadata := (last .).metadata }}
{{- $labels := include "carillon.labels" $root | fromYaml }}
{{- $_ := set $metadata "labels" (mergeOverwrite ($metadata.labels | default dict) $labels) }}
{{- $_ := set $metadata "name" (include "carillon.name" (list $root $metadata.name)) }}
{{- if $metadata.namespace }}
{{- $_ := set $metadata "namespace" $root.Release.Namespace }}
{{- end }}
{{- end }}

{{- /* The component of an object of base/, by its name. */}}
{{- define "carillon.component" }}
{{- .metadata.name | splitList ":" | last }}
{{- end }}
