package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"testing"
	"time"

	"github.com/cometbft/cometbft/libs/log"
	"github.com/cometbft/cometbft/privval"
	"github.com/cometbft/cometbft/types"
)

// What `./invoke bench signer` reads.
type latency struct {
	Votes int       `json:"votes"`
	File  []float64 `json:"file_ms"`
	Call  []float64 `json:"call_ms"`
	Lease []float64 `json:"lease_ms"`
}

// The daemon's own file signer, this one by a call, and this one over its unix socket sign the same heights in turns.
func TestLatency(t *testing.T) {
	if os.Getenv("GOLDNODE_LATENCY") == "" {
		t.Skip("a measurement: ./invoke bench signer")
	}
	const votes = 1000
	ours, _ := made(t)
	must(t, ours, order{Op: "grant", Session: "s", grant: grant{1, votes}})
	folder, err := os.MkdirTemp("", "gn")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(folder)
	socket := filepath.Join(folder, "s")
	listener, err := privval.NewSignerListener("unix://"+socket, log.NewNopLogger())
	if err != nil {
		t.Fatal(err)
	}
	server := privval.NewSignerServer(
		privval.NewSignerDialerEndpoint(log.NewNopLogger(), privval.DialUnixFn(socket)), "c", ours)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	client, err := privval.NewSignerClient(listener, "c")
	if err != nil {
		t.Fatal(err)
	}
	disk := t.TempDir()
	theirs := privval.GenFilePV(filepath.Join(disk, "key.json"), filepath.Join(disk, "state.json"))
	called, _ := made(t)
	must(t, called, order{Op: "grant", Session: "s", grant: grant{1, votes}})
	result := latency{Votes: votes}
	for height := int64(1); height <= votes; height++ {
		result.File = append(result.File, timed(t, theirs, height))
		result.Call = append(result.Call, timed(t, called, height))
		result.Lease = append(result.Lease, timed(t, client, height))
	}
	sort.Float64s(result.File)
	sort.Float64s(result.Call)
	sort.Float64s(result.Lease)
	text, _ := json.Marshal(result)
	fmt.Printf("latency %s\n", text)
}

func timed(t *testing.T, signer types.PrivValidator, height int64) float64 {
	t.Helper()
	v := vote(height, 1)
	begin := time.Now()
	if err := signer.SignVote("c", v); err != nil {
		t.Fatal(err)
	}
	return float64(time.Since(begin).Microseconds()) / 1000
}
