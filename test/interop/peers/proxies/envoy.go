package main

import (
	"encoding/json"
	"fmt"

	bootstrap "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protopath"
	"google.golang.org/protobuf/reflect/protorange"
	"google.golang.org/protobuf/reflect/protoreflect"
	"gopkg.in/yaml.v3"
)

func envoy(text []byte) error {
	var plain map[string]any
	if err := yaml.Unmarshal(text, &plain); err != nil {
		return err
	}
	object, err := json.Marshal(plain)
	if err != nil {
		return err
	}
	// As it is set by default, a field or a type that is not known fails.
	config := &bootstrap.Bootstrap{}
	if err := protojson.Unmarshal(object, config); err != nil {
		return err
	}
	if len(config.GetStaticResources().GetListeners()) == 0 {
		return fmt.Errorf("no listener")
	}
	return valid(config.ProtoReflect())
}

// Every message by the rules of its type. Those of a message say nothing of what is packed in an Any within it, so that is
// opened too.
func valid(message protoreflect.Message) error {
	return protorange.Range(message, func(values protopath.Values) error {
		var found protoreflect.Message
		switch last := values.Index(-1).Value.Interface().(type) {
		case protoreflect.Message:
			found = last
		default:
			return nil
		}
		if rules, is := found.Interface().(interface{ ValidateAll() error }); is {
			return rules.ValidateAll()
		}
		return nil
	})
}
