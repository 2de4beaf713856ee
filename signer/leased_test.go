package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cometbft/cometbft/privval"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
)

func made(t *testing.T) (*leased, string) {
	t.Helper()
	folder := t.TempDir()
	key, state := filepath.Join(folder, "key.json"), filepath.Join(folder, "state.json")
	privval.GenFilePV(key, state).Save()
	memory, err := os.MkdirTemp("/dev/shm", "goldnode-signer-")
	if err != nil {
		memory = t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(memory) })
	kept, err := openDurable(state, filepath.Join(memory, "state.json"))
	if err != nil {
		t.Fatal(err)
	}
	return &leased{pv: privval.LoadFilePV(key, kept.memory), state: kept, session: "s"}, state
}

func vote(height int64, hash byte) *cmtproto.Vote {
	id := make([]byte, 32)
	id[0] = hash
	return &cmtproto.Vote{Type: cmtproto.PrevoteType, Height: height, BlockID: cmtproto.BlockID{
		Hash: id, PartSetHeader: cmtproto.PartSetHeader{Total: 1, Hash: id}}}
}

func must(t *testing.T, l *leased, o order) status {
	t.Helper()
	s, err := l.obey(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A height is signed from lo to hi, and neither below nor above nor without a grant.
func TestOnlyGrantedHeightsAreSigned(t *testing.T) {
	l, _ := made(t)
	for height, granted := range map[int64]bool{4: false, 8: false} {
		if (l.SignVote("c", vote(height, 1)) == nil) != granted {
			t.Fatalf("height %d without a grant", height)
		}
	}
	must(t, l, order{Op: "grant", Session: "s", grant: grant{5, 7}})
	for _, height := range []int64{4, 5, 6, 7, 8} {
		v := vote(height, 1)
		err := l.SignVote("c", v)
		if (err == nil) != (height >= 5 && height <= 7) {
			t.Fatalf("height %d: %v", height, err)
		}
		if err != nil && (v.Signature != nil || v.ExtensionSignature != nil) {
			t.Fatalf("height %d: a refusal carries a signature", height)
		}
	}
}

// Another block at the same height, round and step is refused; the very same vote gets the very same signature.
func TestOneSignatureForOneStep(t *testing.T) {
	l, _ := made(t)
	must(t, l, order{Op: "grant", Session: "s", grant: grant{1, 9}})
	first, again, other := vote(3, 1), vote(3, 1), vote(3, 2)
	if err := l.SignVote("c", first); err != nil {
		t.Fatal(err)
	}
	if err := l.SignVote("c", again); err != nil || string(first.Signature) != string(again.Signature) {
		t.Fatal("the same bytes got another signature", err)
	}
	if l.SignVote("c", other) == nil || other.Signature != nil {
		t.Fatal("a second block was signed")
	}
}

// R1: whatever has been signed is in the file by the time that the signature is there.
func TestTheStateIsWrittenFirst(t *testing.T) {
	l, state := made(t)
	must(t, l, order{Op: "grant", Session: "s", grant: grant{1, 9}})
	for height := int64(1); height <= 9; height++ {
		if err := l.SignVote("c", vote(height, 1)); err != nil {
			t.Fatal(err)
		}
		written, err := os.ReadFile(state)
		if err != nil || !strings.Contains(string(written), fmt.Sprintf(`"height": "%d"`, height)) {
			t.Fatalf("signed %d, and the file says %s", height, written)
		}
	}
}

// R1: where the state cannot be put on the disk no signature leaves, and none does later.
func TestNoSignatureWithoutTheState(t *testing.T) {
	l, state := made(t)
	must(t, l, order{Op: "grant", Session: "s", grant: grant{1, 9}})
	if err := os.Mkdir(state+".new", 0o700); err != nil {
		t.Fatal(err)
	}
	for height := int64(3); height <= 4; height++ {
		v := vote(height, 1)
		if l.SignVote("c", v) == nil || v.Signature != nil {
			t.Fatalf("height %d was signed, and is not on the disk", height)
		}
		os.Remove(state + ".new")
	}
}

// A new process goes on from the disk, whatever the one before it left in memory.
func TestTheDiskCounts(t *testing.T) {
	l, state := made(t)
	must(t, l, order{Op: "grant", Session: "s", grant: grant{1, 9}})
	if err := l.SignVote("c", vote(5, 1)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(l.state.memory, []byte(`{"height": "0", "round": 0, "step": 0}`), 0o600); err != nil {
		t.Fatal(err)
	}
	kept, err := openDurable(state, l.state.memory)
	if err != nil {
		t.Fatal(err)
	}
	next := &leased{pv: privval.LoadFilePV(filepath.Join(filepath.Dir(state), "key.json"), kept.memory), state: kept}
	must(t, next, order{Op: "grant", grant: grant{1, 9}})
	if next.SignVote("c", vote(5, 2)) == nil {
		t.Fatal("another block of a signed height was signed")
	}
}

// R5: after a stop nothing is signed, no grant is taken, and the answer says what was signed last.
func TestAStopIsForGood(t *testing.T) {
	l, _ := made(t)
	must(t, l, order{Op: "grant", Session: "s", grant: grant{1, 9}})
	if err := l.SignVote("c", vote(4, 1)); err != nil {
		t.Fatal(err)
	}
	if s := must(t, l, order{Op: "stop", Session: "s"}); s.Height != 4 || !s.Stopped {
		t.Fatal(s)
	}
	if _, err := l.obey(order{Op: "grant", Session: "s", grant: grant{5, 9}}); err == nil {
		t.Fatal("a grant was taken after the stop")
	}
	if l.SignVote("c", vote(5, 1)) == nil {
		t.Fatal("signed after the stop")
	}
}

// R8: an order for another process is refused.
func TestOrdersNameTheirProcess(t *testing.T) {
	l, _ := made(t)
	for _, op := range []string{"grant", "revoke", "stop"} {
		if _, err := l.obey(order{Op: op, Session: "before", grant: grant{1, 9}}); err == nil {
			t.Fatal(op)
		}
	}
	if s := must(t, l, order{Op: "status"}); s.Hi != 0 || s.Stopped {
		t.Fatal(s)
	}
}

// A grant that was taken away opens nothing; nor is one taken that is no range of heights.
func TestARevokedGrantOpensNothing(t *testing.T) {
	l, _ := made(t)
	must(t, l, order{Op: "grant", Session: "s", grant: grant{1, 9}})
	must(t, l, order{Op: "revoke", Session: "s"})
	if l.SignVote("c", vote(5, 1)) == nil {
		t.Fatal("signed by a grant that was revoked")
	}
	for _, wrong := range []grant{{0, 9}, {9, 8}, {}} {
		if _, err := l.obey(order{Op: "grant", Session: "s", grant: wrong}); err == nil {
			t.Fatal(wrong)
		}
	}
}

// A proposal is signed inside the grant only, and carries no signature when its state is not on the disk.
func TestProposalsTakeTheSameWay(t *testing.T) {
	l, state := made(t)
	must(t, l, order{Op: "grant", Session: "s", grant: grant{5, 7}})
	for height := int64(4); height <= 7; height++ {
		p := proposal(height)
		if err := l.SignProposal("c", p); (err == nil) != (height >= 5) || (err != nil && p.Signature != nil) {
			t.Fatalf("height %d: %v", height, err)
		}
		if height == 6 {
			if err := os.Mkdir(state+".new", 0o700); err != nil {
				t.Fatal(err)
			}
			defer os.Remove(state + ".new")
			p = proposal(7)
			if l.SignProposal("c", p) == nil || p.Signature != nil {
				t.Fatal("signed, and not on the disk")
			}
			return
		}
	}
}

// Only a signer that was stopped ends its process.
func TestOnlyAStoppedSignerEnds(t *testing.T) {
	l, _ := made(t)
	ended := false
	l.end = func() { ended = true }
	if _, err := l.obey(order{Op: "end", Session: "s"}); err == nil || ended {
		t.Fatal("ended while it may sign")
	}
	must(t, l, order{Op: "stop", Session: "s"})
	must(t, l, order{Op: "end", Session: "s"})
	if !ended {
		t.Fatal("a stopped signer did not end")
	}
}

// What a power cut may leave on a file system that commits a rename before the data: nothing is signed from that.
func TestAnEmptyStateSignsNothing(t *testing.T) {
	l, state := made(t)
	if err := os.WriteFile(state, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openDurable(state, l.state.memory); err == nil || !strings.Contains(err.Error(), "empty") {
		t.Fatal("a process began with an empty state", err)
	}
}

func proposal(height int64) *cmtproto.Proposal {
	v := vote(height, 1)
	return &cmtproto.Proposal{Type: cmtproto.ProposalType, Height: height, PolRound: -1, BlockID: v.BlockID}
}
