package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const ready = `
apiVersion: hookwright.dev/v1alpha1
kind: ProjectWebhook
metadata: {name: ready, generation: 1}
status:
  observedGeneration: 1
  conditions: [{type: Ready, status: "True", reason: Synced, message: the remote equals the spec}]
`

const behind = `
apiVersion: hookwright.dev/v1alpha1
kind: Connection
metadata: {name: behind, generation: 2}
status: {observedGeneration: -1}
`

func lines(t *testing.T, files []string, in string) []line {
	t.Helper()
	var out strings.Builder
	if err := run(customizations, files, strings.NewReader(in), &out); err != nil {
		t.Fatal(err)
	}
	var told []line
	for text := range strings.Lines(out.String()) {
		var one line
		if err := json.Unmarshal([]byte(text), &one); err != nil {
			t.Fatal(err)
		}
		told = append(told, one)
	}
	return told
}

func TestBothVerdictsOfAllObjectsInOrder(t *testing.T) {
	told := lines(t, nil, ready+"---\n"+behind)
	want := []line{
		{"stdin", "ProjectWebhook", "ready", verdict{"Current", "Resource is Ready"}, verdict{"Healthy", "the remote equals the spec"}},
		{"stdin", "Connection", "behind",
			verdict{"InProgress", "Connection generation is 2, but latest observed generation is -1"},
			verdict{"Progressing", "Waiting for the operator to look at this generation"}},
	}
	if len(told) != len(want) || told[0] != want[0] || told[1] != want[1] {
		t.Errorf("%+v", told)
	}
}

func TestListsAndFilesAreReadToo(t *testing.T) {
	list := `{"apiVersion": "v1", "kind": "List", "items": [
		{"apiVersion": "hookwright.dev/v1alpha1", "kind": "Connection", "metadata": {"name": "a"}},
		{"apiVersion": "hookwright.dev/v1alpha1", "kind": "Connection", "metadata": {"name": "b"}}]}`
	dir := t.TempDir()
	files := []string{filepath.Join(dir, "list.json"), filepath.Join(dir, "ready.yaml")}
	for i, text := range []string{list, ready} {
		if err := os.WriteFile(files[i], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	for _, told := range lines(t, files, "") {
		names = append(names, filepath.Base(told.Source)+" "+told.Name)
	}
	if got := strings.Join(names, ", "); got != "list.json a, list.json b, ready.yaml ready" {
		t.Error(got)
	}
}

func TestWhatCannotBeJudgedIsAnError(t *testing.T) {
	for in, says := range map[string]string{
		"":     "stdin: no object in it",
		"a: b": "'Kind' is missing",
		"{":    "unexpected EOF",
		strings.Replace(ready, "ProjectWebhook", "Pod", 1):              "Pod/health.lua: no such file",
		strings.Replace(ready, "generation: 1}", "generation: one}", 1): "metadata.generation",
	} {
		err := run(customizations, nil, strings.NewReader(in), &strings.Builder{})
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", in, err)
		}
	}
	if err := run(customizations, []string{"none.yaml"}, nil, nil); err == nil {
		t.Error("a file that is not there")
	}
}
