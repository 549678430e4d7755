package main

import (
	"fmt"

	"github.com/traefik/paerser/file"
	"github.com/traefik/traefik/v3/pkg/config/dynamic"
)

// A field that Traefik does not know is an error of its decoder.
func traefik(text []byte) error {
	var config dynamic.Configuration
	if err := file.DecodeContent(string(text), ".yaml", &config); err != nil {
		return err
	}
	if config.HTTP == nil || len(config.HTTP.Routers) == 0 {
		return fmt.Errorf("no router")
	}
	// Names in the other direction: what a router names is there.
	for name, router := range config.HTTP.Routers {
		if config.HTTP.Services[router.Service] == nil {
			return fmt.Errorf("%s: no service %s", name, router.Service)
		}
		for _, middleware := range router.Middlewares {
			if config.HTTP.Middlewares[middleware] == nil {
				return fmt.Errorf("%s: no middleware %s", name, middleware)
			}
		}
	}
	return nil
}
