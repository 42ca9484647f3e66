package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
)

const customizations = "../../examples/argocd/resource_customizations"

// A healthTest is Argo CD's form of a test of a health script, in the file health_test.yaml beside it.
type healthTest struct {
	Tests []struct {
		InputPath    string  `json:"inputPath"`
		HealthStatus verdict `json:"healthStatus"`
	} `json:"tests"`
}

func TestEachScriptPassesItsOwnTests(t *testing.T) {
	scripts, err := filepath.Glob(filepath.Join(customizations, "*/*/health.lua"))
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no health.lua in %s: %v", customizations, err)
	}
	for _, script := range scripts {
		dir := filepath.Dir(script)
		t.Run(filepath.Base(dir), func(t *testing.T) { passesItsOwnTests(t, dir) })
	}
}

func passesItsOwnTests(t *testing.T, dir string) {
	script := contents(t, filepath.Join(dir, "health.lua"))
	text, err := yaml.ToJSON([]byte(contents(t, filepath.Join(dir, "health_test.yaml"))))
	if err != nil {
		t.Fatal(err)
	}
	var list healthTest
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	tested := map[string]bool{}
	for _, test := range list.Tests {
		tested[filepath.Base(test.InputPath)] = true
		objects, err := read(strings.NewReader(contents(t, filepath.Join(dir, test.InputPath))))
		if err != nil || len(objects) != 1 {
			t.Fatalf("%s: %d objects, %v", test.InputPath, len(objects), err)
		}
		if kind := objects[0].GetKind(); kind != filepath.Base(dir) {
			t.Errorf("%s is a %s", test.InputPath, kind)
		}
		health, err := runHealthScript(script, objects[0])
		if err != nil || health != test.HealthStatus {
			t.Errorf("%s: %+v, %v, and not %+v", test.InputPath, health, err, test.HealthStatus)
		}
	}
	data, err := os.ReadDir(filepath.Join(dir, "testdata"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range data {
		if !tested[file.Name()] {
			t.Errorf("testdata/%s is in no test of health_test.yaml", file.Name())
		}
	}
}

func contents(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAScriptSeesTheObjectAsLuaValues(t *testing.T) {
	object := &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{
			"generation":    int64(3),
			"managedFields": []any{"hidden"},
			"annotations": map[string]any{
				"kubectl.kubernetes.io/last-applied-configuration": "hidden",
				"shown": "yes",
			},
		},
		"spec": map[string]any{"list": []any{"a", true, 1.5}, "none": nil},
	}}
	script := `
local seen = obj.metadata.generation == 3 and obj.metadata.managedFields == nil
  and obj.metadata.annotations["kubectl.kubernetes.io/last-applied-configuration"] == nil
  and obj.metadata.annotations.shown == "yes"
  and obj.spec.list[1] == "a" and obj.spec.list[2] == true and obj.spec.list[3] == 1.5 and #obj.spec.list == 3
  and obj.spec.none == nil and obj.status == nil
return { status = seen and "Healthy" or "Degraded" }`
	health, err := runHealthScript(script, object)
	if err != nil || health.Status != "Healthy" {
		t.Errorf("%+v, %v", health, err)
	}
	if _, found, _ := unstructured.NestedSlice(object.Object, "metadata", "managedFields"); !found {
		t.Error("the object itself was changed")
	}
}

func TestWhatArgoCDDoesNotLetAScriptDo(t *testing.T) {
	for name, test := range map[string]struct{ script, says string }{
		"the string library":   {`return { status = string.upper("healthy") }`, "attempt to index a non-table object(nil) with key 'upper'"},
		"methods of strings":   {`return { status = ("Healthy"):lower() }`, "attempt to index a non-table object(string)"},
		"the os library":       {`return { status = os.getenv("HOME") }`, "attempt to index a non-table object(nil) with key 'getenv'"},
		"to go on for ever":    {`while true do end`, "context deadline exceeded"},
		"to return no table":   {`return "Healthy"`, "has to return a table, not string"},
		"to return nothing":    {`local hs = {}`, "has to return a table, not nil"},
		"to return no status":  {`return {}`, "the status has to be a string, not nil"},
		"a message of no text": {`return { status = "Healthy", message = {} }`, "the message has to be a string, not table"},
		"not to be Lua at all": {`return {`, "syntax error"},
	} {
		t.Run(name, func(t *testing.T) {
			health, err := runHealthScript(test.script, &unstructured.Unstructured{Object: map[string]any{}})
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%+v, %v", health, err)
			}
		})
	}
}

func TestAHealthThatArgoCDDoesNotKnowIsUnknown(t *testing.T) {
	health, err := runHealthScript(`return { status = "Fine" }`, &unstructured.Unstructured{Object: map[string]any{}})
	if err != nil || health.Status != "Unknown" {
		t.Errorf("%+v, %v", health, err)
	}
}
