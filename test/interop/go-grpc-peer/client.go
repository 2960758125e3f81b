package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// One call, as the line that asks for it has it.
type request struct {
	ID       string
	Target   string
	Method   string
	Metadata map[string]string
	// Sent one after the other; for Chat each waits for its echo.
	Messages []string
	// Sent after those: `count` of `size` bytes, as Expand sends them.
	Pattern      struct{ Count, Size int }
	TimeoutMs    int
	CancelAfter  int
	Compressor   string
	WaitForReady bool
	// Reads so many messages a second at most; 0: as they come.
	ReadsPerSecond int
}

type answer struct {
	ID       string      `json:"id"`
	Code     string      `json:"code"`
	Details  string      `json:"details"`
	Headers  metadata.MD `json:"headers"`
	Trailers metadata.MD `json:"trailers"`
	// The first 100, as text; all of them counted and hashed.
	Messages []string `json:"messages"`
	Count    int      `json:"count"`
	Bytes    int      `json:"bytes"`
	SHA256   string   `json:"sha256"`
	Peer     string   `json:"peer"`
}

var connections = map[string]*grpc.ClientConn{}

func call() error {
	secure, err := clientCredentials()
	if err != nil {
		return err
	}
	print(map[string]any{"ready": true})
	return commands(func(line []byte) error {
		var of request
		if err := json.Unmarshal(line, &of); err != nil {
			return err
		}
		connection := connections[of.Target]
		if connection == nil {
			connection, err = grpc.NewClient("passthrough:///"+of.Target, grpc.WithTransportCredentials(secure), grpc.WithAuthority("peer"))
			if err != nil {
				return err
			}
			connections[of.Target] = connection
		}
		go func() { print(made(connection, of)) }()
		return nil
	})
}

func made(connection *grpc.ClientConn, of request) answer {
	ctx, cancel := context.WithCancel(metadata.NewOutgoingContext(context.Background(), metadata.New(of.Metadata)))
	defer cancel()
	if of.TimeoutMs > 0 {
		ctx, cancel = context.WithTimeout(ctx, time.Duration(of.TimeoutMs)*time.Millisecond)
		defer cancel()
	}
	var whom peer.Peer
	options := []grpc.CallOption{grpc.Peer(&whom), grpc.WaitForReady(of.WaitForReady), grpc.MaxCallRecvMsgSize(64 << 20)}
	if of.Compressor != "" {
		options = append(options, grpc.UseCompressor(of.Compressor))
	}
	result := answer{ID: of.ID, Messages: []string{}}
	stream, err := connection.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/heddle.test.Peer/"+of.Method, options...)
	hash := sha256.New()
	if err == nil {
		err = exchanged(stream, of, cancel, func(message []byte) {
			result.Count++
			result.Bytes += len(message)
			hash.Write(message)
			if len(result.Messages) < 100 && len(message) < 1000 {
				result.Messages = append(result.Messages, string(message))
			}
		})
		result.Headers, _ = stream.Header()
		result.Trailers = stream.Trailer()
	}
	result.SHA256 = hex.EncodeToString(hash.Sum(nil))
	result.Code = status.Code(err).String()
	result.Details = status.Convert(err).Message()
	if info, isTLS := whom.AuthInfo.(credentials.TLSInfo); isTLS && len(info.State.PeerCertificates[0].URIs) > 0 {
		result.Peer = info.State.PeerCertificates[0].URIs[0].String()
	}
	return result
}

func exchanged(stream grpc.ClientStream, of request, cancel func(), took func([]byte)) error {
	read := func() error {
		message := new(wrapperspb.BytesValue)
		if err := stream.RecvMsg(message); err != nil {
			return err
		}
		took(message.Value)
		if of.ReadsPerSecond > 0 {
			time.Sleep(time.Second / time.Duration(of.ReadsPerSecond))
		}
		return nil
	}
	for at, text := range of.Messages {
		if err := stream.SendMsg(wrapperspb.Bytes([]byte(text))); err != nil {
			return ended(stream, err)
		}
		if of.CancelAfter > 0 && at+1 == of.CancelAfter {
			cancel()
		}
		if of.Method == "Chat" {
			if err := read(); err != nil {
				return unlessEOF(err)
			}
		}
	}
	for i := range of.Pattern.Count {
		if err := stream.SendMsg(wrapperspb.Bytes(patterned(i, of.Pattern.Size))); err != nil {
			return ended(stream, err)
		}
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	for {
		if err := read(); err != nil {
			return unlessEOF(err)
		}
	}
}

// What a stream that takes no more messages ended with.
func ended(stream grpc.ClientStream, err error) error {
	if err != io.EOF {
		return err
	}
	if err := stream.RecvMsg(new(wrapperspb.BytesValue)); err != io.EOF {
		return err
	}
	return fmt.Errorf("the stream ended well before all was sent")
}

func unlessEOF(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}
