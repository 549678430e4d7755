// What is said to Envoy and Traefik, taken by code of theirs. The first argument says what is wanted:
//
//	envoy    a bootstrap as YAML on stdin, read into go-control-plane's types and held against their rules
//	traefik  dynamic configuration as YAML on stdin, decoded as Traefik's file provider does it
//	check    questions as lines of JSON on stdin, asked of the gRPC service at the address that follows
//
// Exit code 1 with a reason for what is not as it should be.
package main

import (
	"fmt"
	"io"
	"os"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 2 && args[0] == "check":
		return check(args[1], os.Stdin, os.Stdout)
	case len(args) == 1 && (args[0] == "envoy" || args[0] == "traefik"):
		text, err := io.ReadAll(os.Stdin)
		if err != nil {
			return err
		}
		if args[0] == "envoy" {
			return envoy(text)
		}
		return traefik(text)
	}
	return fmt.Errorf("expected envoy, traefik or check ADDRESS")
}
