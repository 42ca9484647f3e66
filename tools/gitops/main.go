// Command gitops tells what GitOps tools make of Kubernetes objects: the status that kstatus computes, in the library that
// Flux has built in, and the health that Argo CD would show, by a health script run as Argo CD runs it.
//
// Objects come from files, or from standard input without any, as YAML or JSON, one or many or a List. Scripts lie as in
// Argo CD's own sources: DIR/GROUP/KIND/health.lua. For each object one line of JSON goes to standard output.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// A verdict is what one tool says of an object.
type verdict struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

// A line is what is printed of one object.
type line struct {
	Source  string  `json:"source"`
	Kind    string  `json:"kind"`
	Name    string  `json:"name"`
	Kstatus verdict `json:"kstatus"`
	Health  verdict `json:"health"`
}

func main() {
	scripts := flag.String("scripts", "", "the directory of the health scripts, laid out as GROUP/KIND/health.lua")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: gitops -scripts DIR [FILE...]")
		flag.PrintDefaults()
	}
	flag.Parse()
	if *scripts == "" {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*scripts, flag.Args(), os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "gitops:", err)
		os.Exit(1)
	}
}

func run(scripts string, files []string, in io.Reader, out io.Writer) error {
	if len(files) == 0 {
		return tell(scripts, "stdin", in, out)
	}
	for _, name := range files {
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		err = errors.Join(tell(scripts, name, file, out), file.Close())
		if err != nil {
			return err
		}
	}
	return nil
}

// tell prints the line of each object that a source holds. A source without any is an error: whoever asks expects an answer.
func tell(scripts, source string, in io.Reader, out io.Writer) error {
	objects, err := read(in)
	if err == nil && len(objects) == 0 {
		err = errors.New("no object in it")
	}
	if err != nil {
		return fmt.Errorf("%s: %w", source, err)
	}
	encoder := json.NewEncoder(out)
	for _, object := range objects {
		told, err := judge(scripts, object)
		if err != nil {
			return fmt.Errorf("%s: %s %s: %w", source, object.GetKind(), object.GetName(), err)
		}
		told.Source = source
		if err := encoder.Encode(told); err != nil {
			return err
		}
	}
	return nil
}

func judge(scripts string, object *unstructured.Unstructured) (line, error) {
	computed, err := status.Compute(object)
	if err != nil {
		return line{}, err
	}
	kind := object.GroupVersionKind().GroupKind()
	script, err := os.ReadFile(filepath.Join(scripts, kind.Group, kind.Kind, "health.lua"))
	if err != nil {
		return line{}, err
	}
	health, err := runHealthScript(string(script), object)
	if err != nil {
		return line{}, err
	}
	return line{
		Kind:    object.GetKind(),
		Name:    object.GetName(),
		Kstatus: verdict{Status: string(computed.Status), Message: computed.Message},
		Health:  health,
	}, nil
}

// read takes whatever a person or kubectl writes: documents in a row, each of them an object or a List.
func read(in io.Reader) ([]*unstructured.Unstructured, error) {
	decoder := yaml.NewYAMLOrJSONDecoder(in, 4096)
	var objects []*unstructured.Unstructured
	for {
		var document runtime.RawExtension
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		if len(document.Raw) == 0 || string(document.Raw) == "null" {
			continue
		}
		// Numbers become int64 here, as in objects that a client gets from an API server; kstatus takes no others.
		decoded, err := runtime.Decode(unstructured.UnstructuredJSONScheme, document.Raw)
		if err != nil {
			return nil, err
		}
		switch decoded := decoded.(type) {
		case *unstructured.Unstructured:
			objects = append(objects, decoded)
		case *unstructured.UnstructuredList:
			for i := range decoded.Items {
				objects = append(objects, &decoded.Items[i])
			}
		}
	}
}
