{{- /* What both workloads take from the values of their component: (list $ WORKLOAD COMPONENT). */}}
{{- define "carillon.workload" }}
{{- $root := first . }}
{{- $workload := index . 1 }}
{{- $component := last . }}
{{- $values := get $root.Values $component }}
{{- $template := $workload.spec.template }}
{{- $pod := $template.spec }}
{{- $container := first $pod.containers }}

{{- $_ := include "carillon.adopt" (list $root $workload) }}
{{- $others := dict }}
{{- range $key, $value := $values.labels }}
{{- $_ := set $others $key (toString $value) }}
{{- end }}
{{- $own := dict "app.kubernetes.io/component" $component }}
{{- $metadata := $workload.metadata }}
{{- $_ := set $metadata "labels" (mergeOverwrite (deepCopy $others) $metadata.labels $own) }}
{{- $_ := set $own "app.kubernetes.io/name" (include "carillon.app" $root) }}
{{- $_ := set $own "app.kubernetes.io/instance" $root.Release.Name }}
{{- $labels := mergeOverwrite $others $template.metadata.labels $own }}
{{- $_ := set $template.metadata "labels" $labels }}
{{- with $values.podAnnotations }}
{{- $_ := set $template.metadata "annotations" . }}
{{- end }}

{{- $_ := set $pod "serviceAccountName" (include "carillon.account" (list $root $component)) }}
{{- $_ := set $pod "securityContext" (mergeOverwrite $pod.securityContext $values.securityContext) }}
{{- $_ := set $pod "nodeSelector" (mergeOverwrite $pod.nodeSelector $values.nodeSelector) }}
{{- with concat ($pod.tolerations | default list) $values.tolerations }}
{{- $_ := set $pod "tolerations" . }}
{{- end }}
{{- $_ := set $pod "containers" (concat $pod.containers $values.extraContainers) }}
{{- range $key := list "affinity" "priorityClassName" "runtimeClassName" }}
{{- with get $values $key }}
{{- $_ := set $pod $key . }}
{{- end }}
{{- end }}
{{- with $root.Values.imagePullSecrets }}
{{- $_ := set $pod "imagePullSecrets" . }}
{{- end }}

{{- $image := $root.Values.image }}
{{- $tag := $image.tag | default $root.Chart.AppVersion }}
{{- $_ := set $container "image" (printf "%s:%s" $image.repository $tag) }}
{{- $policy := $values.image.pullPolicy | default $image.pullPolicy }}
{{- $_ := set $container "imagePullPolicy" $policy }}
{{- with $values.resources }}
{{- $_ := set $container "resources" . }}
{{- end }}
{{- $level := get (dict "all" "trace" "none" "error") $values.logLevel | default $values.logLevel }}
{{- $arguments := $container.args }}
{{- if ne $level "info" }}
{{- $arguments = concat $arguments (list "--log-level" $level) }}
{{- end }}
{{- with $root.Values.loadBalancerClass }}
{{- $arguments = concat $arguments (list "--lb-class" .) }}
{{- end }}
{{- $_ := set $container "args" (concat $arguments $values.extraArgs) }}
{{- range $probe := list "startupProbe" "livenessProbe" "readinessProbe" }}
{{- with get $values $probe }}
{{- if .enabled }}
{{- range $key, $value := omit . "enabled" "port" }}
{{- if kindIs "invalid" $value | not }}
{{- $_ := set (get $container $probe) $key $value }}
{{- end }}
{{- end }}
{{- else }}
{{- $_ := unset $container $probe }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
