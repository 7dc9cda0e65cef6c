#!/bin/sh
# Generates the Go client from proto/ and builds the example: target/examples/go/first_frame.
# It uses Debian's packages of Go, so that nothing is downloaded:
#   golang-go protoc-gen-go protoc-gen-go-grpc golang-google-grpc-dev protobuf-compiler
# With Go modules, run `go get google.golang.org/grpc google.golang.org/protobuf` instead.
#   usage: build.sh
set -eu
cd "$(dirname "$0")/../.."
out=$PWD/target/examples/go
source=$out/src/deskd.example
mkdir -p "$source/v1"
names=
for file in proto/deskd/v1/*.proto; do
    names="$names --go_opt=Mdeskd/v1/${file##*/}=deskd.example/v1"
    names="$names --go-grpc_opt=Mdeskd/v1/${file##*/}=deskd.example/v1"
done
# shellcheck disable=SC2086 # several options
protoc -I proto --go_out="$out/src" --go-grpc_out="$out/src" $names proto/deskd/v1/*.proto
# Debian's gRPC comes with an older protobuf than its generator writes for.
protobuf=golang-github-golang-protobuf-1-5-dev
if [ ! -d "$out/src/github.com/golang/protobuf" ]; then
    (cd "$out" && apt-get -o APT::Sandbox::User=root download -qq "$protobuf" && dpkg-deb -x "$protobuf"_*.deb "$out/deb")
    mkdir -p "$out/src/github.com/golang"
    cp -r "$out/deb/usr/share/gocode/src/github.com/golang/protobuf" "$out/src/github.com/golang/"
fi
GO111MODULE=off GOFLAGS= GOPATH="$out:/usr/share/gocode" GOCACHE="$out/cache" \
    go build -o "$out/first_frame" examples/go/first_frame.go
