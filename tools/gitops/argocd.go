package main

import (
	"context"
	"fmt"
	"time"

	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// scriptTime is how long Argo CD lets a health script run.
const scriptTime = time.Second

// healthCodes are the ones that Argo CD knows; it shows any other as Unknown.
var healthCodes = map[string]bool{
	"Healthy": true, "Progressing": true, "Suspended": true, "Degraded": true, "Missing": true, "Unknown": true,
}

// runHealthScript does what Argo CD does with a script from argocd-cm (its util/lua/lua.go, which can't be imported, because
// a part of Argo CD is missing from the Go module proxy): the object is the global obj, time is bounded, and of Lua's
// libraries only package, base and table are there. Argo CD adds a small part of os, which our scripts may not use either.
func runHealthScript(script string, object *unstructured.Unstructured) (verdict, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for _, library := range []struct {
		name string
		open lua.LGFunction
	}{
		{lua.LoadLibName, lua.OpenPackage}, // the others register with it
		{lua.BaseLibName, lua.OpenBase},
		{lua.TabLibName, lua.OpenTable},
	} {
		call := lua.P{Fn: state.NewFunction(library.open), NRet: 0, Protect: true}
		if err := state.CallByParam(call, lua.LString(library.name)); err != nil {
			return verdict{}, err
		}
	}
	limit, cancel := context.WithTimeout(context.Background(), scriptTime)
	defer cancel()
	state.SetContext(limit)
	state.SetGlobal("obj", toLua(state, shown(object)))
	if err := state.DoString(script); err != nil {
		return verdict{}, err
	}
	return health(state.Get(-1))
}

// shown is the part of an object that scripts see: newer releases of Argo CD hide these two from them.
func shown(object *unstructured.Unstructured) map[string]any {
	object = object.DeepCopy()
	unstructured.RemoveNestedField(object.Object, "metadata", "managedFields")
	unstructured.RemoveNestedField(object.Object,
		"metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration")
	return object.Object
}

// toLua turns JSON values into Lua's. Numbers are int64 or float64 in unstructured objects, and null becomes nil.
func toLua(state *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case bool:
		return lua.LBool(value)
	case int64:
		return lua.LNumber(value)
	case float64:
		return lua.LNumber(value)
	case string:
		return lua.LString(value)
	case []any:
		table := state.CreateTable(len(value), 0)
		for _, item := range value {
			table.Append(toLua(state, item))
		}
		return table
	case map[string]any:
		table := state.CreateTable(0, len(value))
		for key, item := range value {
			table.RawSetString(key, toLua(state, item))
		}
		return table
	default:
		return lua.LNil
	}
}

// health reads what a script returned. Argo CD goes by JSON here, with the same end for a table of strings. A script without
// an answer means "no health" to it, which sync waves pass by; ours always have one.
func health(returned lua.LValue) (verdict, error) {
	table, ok := returned.(*lua.LTable)
	if !ok {
		return verdict{}, fmt.Errorf("the script has to return a table, not %s", returned.Type())
	}
	code, message := table.RawGetString("status"), table.RawGetString("message")
	if code.Type() != lua.LTString {
		return verdict{}, fmt.Errorf("the status has to be a string, not %s", code.Type())
	}
	if message.Type() != lua.LTString && message.Type() != lua.LTNil {
		return verdict{}, fmt.Errorf("the message has to be a string, not %s", message.Type())
	}
	if !healthCodes[code.String()] {
		return verdict{Status: "Unknown", Message: "Lua returned an invalid health status"}, nil
	}
	return verdict{Status: code.String(), Message: lua.LVAsString(message)}, nil
}
