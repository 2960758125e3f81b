package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	_ "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func serve() error {
	option, err := serverCredentials()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	server := grpc.NewServer(option, grpc.StatsHandler(encodings{}))
	server.RegisterService(&description, nil)
	print(map[string]any{"address": listener.Addr().String()})
	go commands(func(line []byte) error {
		var command struct{ Stop string }
		if err := json.Unmarshal(line, &command); err != nil {
			return err
		}
		if command.Stop == "gracefully" {
			go server.GracefulStop()
		}
		return nil
	})
	return server.Serve(listener)
}

var description = grpc.ServiceDesc{
	ServiceName: "heddle.test.Peer",
	HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{MethodName: "Unary", Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		message := new(wrapperspb.BytesValue)
		if err := decode(message); err != nil {
			return nil, err
		}
		return unary(ctx, message)
	}}},
	Streams: []grpc.StreamDesc{
		{StreamName: "Collect", ClientStreams: true, Handler: collect},
		{StreamName: "Expand", ServerStreams: true, Handler: expand},
		{StreamName: "Chat", ClientStreams: true, ServerStreams: true, Handler: chat},
	},
}

// What a call asks for by its metadata: to be echoed, to fail, to take long.
func asked(ctx context.Context, method string) (metadata.MD, metadata.MD, error) {
	sent, _ := metadata.FromIncomingContext(ctx)
	headers, trailers := metadata.MD{}, metadata.MD{}
	for _, name := range []string{"x-echo", "x-echo-bin"} {
		headers.Append(name, sent.Get(name)...)
		trailers.Append(name, sent.Get(name)...)
	}
	for _, name := range []string{":authority", "user-agent", "grpc-previous-rpc-attempts", "traceparent", "x-envoy-attempt-count"} {
		trailers.Append("saw-"+trimmed(name), sent.Get(name)...)
	}
	if deadline, has := ctx.Deadline(); has {
		trailers.Set("saw-deadline-ms", strconv.FormatInt(time.Until(deadline).Milliseconds(), 10))
	}
	trailers.Set("saw-peer", spiffeID(ctx))
	trailers.Set("saw-encoding", *ctx.Value(encodingKey{}).(*string))
	if sleep := sent.Get("x-sleep-ms"); len(sleep) > 0 {
		ms, _ := strconv.Atoi(sleep[0])
		select {
		case <-time.After(time.Duration(ms) * time.Millisecond):
		case <-ctx.Done():
			print(map[string]any{"ended": method, "because": ctx.Err().Error()})
			return headers, trailers, status.FromContextError(ctx.Err()).Err()
		}
	}
	if fail := sent.Get("x-fail-code"); len(fail) > 0 {
		code, _ := strconv.Atoi(fail[0])
		return headers, trailers, status.Error(codes.Code(code), "as was asked for: 100 % ü")
	}
	return headers, trailers, nil
}

// Remembers by call how its messages are compressed, which grpc-go keeps out of the metadata.
type encodings struct{}

type encodingKey struct{}

func (encodings) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context {
	return context.WithValue(ctx, encodingKey{}, new(string))
}

func (encodings) HandleRPC(ctx context.Context, event stats.RPCStats) {
	if header, is := event.(*stats.InHeader); is {
		*ctx.Value(encodingKey{}).(*string) = header.Compression
	}
}

func (encodings) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

func (encodings) HandleConn(context.Context, stats.ConnStats) {}

func trimmed(name string) string {
	if name[0] == ':' {
		return name[1:]
	}
	return name
}

func spiffeID(ctx context.Context) string {
	caller, _ := peer.FromContext(ctx)
	info, isTLS := caller.AuthInfo.(credentials.TLSInfo)
	if !isTLS || len(info.State.PeerCertificates) == 0 || len(info.State.PeerCertificates[0].URIs) == 0 {
		return ""
	}
	return info.State.PeerCertificates[0].URIs[0].String()
}

func unary(ctx context.Context, message *wrapperspb.BytesValue) (any, error) {
	headers, trailers, err := asked(ctx, "Unary")
	grpc.SetTrailer(ctx, trailers)
	if err != nil {
		return nil, err
	}
	return message, grpc.SetHeader(ctx, headers)
}

func collect(_ any, stream grpc.ServerStream) error {
	headers, trailers, err := asked(stream.Context(), "Collect")
	stream.SetTrailer(trailers)
	if err != nil {
		return err
	}
	if err := stream.SetHeader(headers); err != nil {
		return err
	}
	count, bytes, hash := 0, 0, sha256.New()
	for {
		message := new(wrapperspb.BytesValue)
		err := stream.RecvMsg(message)
		if err == io.EOF {
			stream.SetTrailer(metadata.Pairs("saw-sha256", hex.EncodeToString(hash.Sum(nil))))
			return stream.SendMsg(wrapperspb.Bytes([]byte(fmt.Sprintf("%d messages of %d bytes", count, bytes))))
		}
		if err != nil {
			print(map[string]any{"ended": "Collect", "because": err.Error()})
			return err
		}
		count++
		bytes += len(message.Value)
		hash.Write(message.Value)
	}
}

// The request is `{"count":3,"size":100}`.
func expand(_ any, stream grpc.ServerStream) error {
	headers, trailers, err := asked(stream.Context(), "Expand")
	stream.SetTrailer(trailers)
	if err != nil {
		return err
	}
	if err := stream.SetHeader(headers); err != nil {
		return err
	}
	request := new(wrapperspb.BytesValue)
	if err := stream.RecvMsg(request); err != nil {
		return err
	}
	var of struct{ Count, Size int }
	if err := json.Unmarshal(request.Value, &of); err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	for i := range of.Count {
		if err := stream.SendMsg(wrapperspb.Bytes(patterned(i, of.Size))); err != nil {
			print(map[string]any{"ended": "Expand", "because": err.Error()})
			return err
		}
	}
	return nil
}

// No two messages of 256 are the same.
func patterned(index, size int) []byte {
	message := make([]byte, size)
	for at := range message {
		message[at] = byte(index + at)
	}
	return message
}

// Echoes each message; `fail` ends it with ABORTED, `leave` with OK, whatever is still to come.
func chat(_ any, stream grpc.ServerStream) error {
	headers, trailers, err := asked(stream.Context(), "Chat")
	stream.SetTrailer(trailers)
	if err != nil {
		return err
	}
	if err := stream.SendHeader(headers); err != nil {
		return err
	}
	for {
		message := new(wrapperspb.BytesValue)
		err := stream.RecvMsg(message)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			print(map[string]any{"ended": "Chat", "because": err.Error()})
			return err
		}
		switch string(message.Value) {
		case "fail":
			return status.Error(codes.Aborted, "the caller said so")
		case "leave":
			return nil
		}
		if err := stream.SendMsg(message); err != nil {
			return err
		}
	}
}
