package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

type question struct {
	Gate, Client, Method, Host, Path string
	Headers                          map[string]string
}

type header struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Append bool   `json:"append"`
}

type answer struct {
	// Of the call, and of the response within.
	Grpc    string   `json:"grpc"`
	Message string   `json:"message"`
	Code    int32    `json:"code"`
	Allowed bool     `json:"allowed"`
	Status  int32    `json:"status"`
	Headers []header `json:"headers"`
	Removed []string `json:"removed"`
	Body    string   `json:"body"`
	// What the rules of the type find wrong in the response, and how many bytes of it were no field of the type.
	Invalid string `json:"invalid"`
	Unknown int    `json:"unknown"`
}

const patience = 10 * time.Second

func check(address string, in io.Reader, out io.Writer) error {
	connection, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()
	client := auth.NewAuthorizationClient(connection)
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var asked question
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			return err
		}
		if err := json.NewEncoder(out).Encode(ask(client, asked)); err != nil {
			return err
		}
	}
	return lines.Err()
}

func ask(client auth.AuthorizationClient, asked question) answer {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	response, err := client.Check(ctx, request(asked))
	if err != nil {
		return answer{Grpc: status.Code(err).String(), Message: status.Convert(err).Message()}
	}
	said := answer{Grpc: "OK", Code: response.GetStatus().GetCode(), Unknown: len(response.ProtoReflect().GetUnknown())}
	if err := response.ValidateAll(); err != nil {
		said.Invalid = err.Error()
	}
	switch found := response.HttpResponse.(type) {
	case *auth.CheckResponse_OkResponse:
		said.Allowed = true
		said.Headers = headers(found.OkResponse.GetHeaders())
		said.Removed = found.OkResponse.GetHeadersToRemove()
	case *auth.CheckResponse_DeniedResponse:
		said.Status = int32(found.DeniedResponse.GetStatus().GetCode())
		said.Headers = headers(found.DeniedResponse.GetHeaders())
		said.Body = found.DeniedResponse.GetBody()
	}
	return said
}

func request(asked question) *auth.CheckRequest {
	return &auth.CheckRequest{Attributes: &auth.AttributeContext{
		Source:            peer(asked.Client, 50000),
		Destination:       peer("127.0.0.1", 443),
		ContextExtensions: map[string]string{"gate": asked.Gate},
		Request: &auth.AttributeContext_Request{Http: &auth.AttributeContext_HttpRequest{
			Id: "1", Method: asked.Method, Host: asked.Host, Path: asked.Path,
			Scheme: "https", Protocol: "HTTP/1.1", Headers: asked.Headers,
		}},
	}}
}

func peer(address string, port uint32) *auth.AttributeContext_Peer {
	return &auth.AttributeContext_Peer{Address: &core.Address{Address: &core.Address_SocketAddress{
		SocketAddress: &core.SocketAddress{Address: address, PortSpecifier: &core.SocketAddress_PortValue{PortValue: port}},
	}}}
}

// Envoy sets what is not to be appended, and where `append` is missing it goes by `append_action`, which is an addition.
func headers(options []*core.HeaderValueOption) []header {
	list := []header{}
	for _, option := range options {
		appends := option.GetAppend() == nil || option.GetAppend().GetValue()
		list = append(list, header{option.GetHeader().GetKey(), option.GetHeader().GetValue(), appends})
	}
	return list
}
