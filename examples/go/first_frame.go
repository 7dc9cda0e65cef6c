// The first frame, and a click: asks deskd for the screen, and writes it to frame.png.
//
//	examples/go/build.sh
//	target/examples/go/first_frame unix:///run/deskd/deskd.sock
//
// Over TCP, the token is read from the file that DESKD_TOKEN_FILE names.
package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	pb "deskd.example/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// token adds the bearer token to the metadata of a call.
func token(ctx context.Context) context.Context {
	file := os.Getenv("DESKD_TOKEN_FILE")
	if file == "" {
		return ctx
	}
	text, err := os.ReadFile(file)
	if err != nil {
		log.Fatal(err)
	}
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+strings.TrimSpace(string(text)))
}

func main() {
	address := "unix:///run/deskd/deskd.sock"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	connection, err := grpc.Dial(address,
		// 1. The path of a Unix socket is no valid authority of HTTP/2.
		grpc.WithAuthority("localhost"),
		// 2. Raw frames are larger than the 4 MiB that gRPC accepts by default.
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(160<<20)),
		// 3. Without TLS; over a network, give credentials.NewTLS.
		grpc.WithInsecure())
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	desktop := pb.NewDesktopClient(connection)
	ctx, cancel := context.WithTimeout(token(context.Background()), 60*time.Second)
	defer cancel()

	// Waits until the desktop is painted, within this time.
	shot, err := desktop.Screenshot(ctx, &pb.ScreenshotRequest{})
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile("frame.png", shot.Frame.Image, 0o644); err != nil {
		log.Fatal(err)
	}
	if shot.Frame.Failure != nil {
		log.Fatalf("no screen: %s (frame.png says so, too)", shot.Frame.Failure.Message)
	}
	fmt.Printf("frame.png: %dx%d, %d bytes\n", shot.Frame.Width, shot.Frame.Height, len(shot.Frame.Image))

	// A step has an id, by which it is executed at most once, also if it is sent again.
	info, err := desktop.GetInfo(ctx, &pb.GetInfoRequest{})
	if err != nil {
		log.Fatal(err)
	}
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		log.Fatal(err)
	}
	x, y := int32(40), int32(12)
	step, err := desktop.Act(ctx, &pb.ActRequest{
		OperationId: hex.EncodeToString(id),
		InstanceId:  info.InstanceId,
		Actions: []*pb.Action{{Action: &pb.Action_Click{Click: &pb.ClickAction{
			At: &pb.Target{Target: &pb.Target_Point{Point: &pb.Point{X: &x, Y: &y}}},
		}}}},
		// The X server and the screen must still be those of the picture.
		Expect: &pb.Expect{FrameId: shot.Frame.FrameId},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("click: %v, %v\n", step.Outcome, step.Settle.State)
}
