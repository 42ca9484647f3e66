//go:build tools

// Package main pins the control plane's programs as dependencies, so that `go build` can make them at the
// versions in go.mod. The build tag keeps them out of the launcher itself.
package main

import (
	_ "go.etcd.io/etcd/server/v3"
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
	_ "k8s.io/kubernetes/cmd/kube-controller-manager"
	_ "k8s.io/kubernetes/cmd/kubectl"
)
