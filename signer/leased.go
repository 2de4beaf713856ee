package main

import (
	"fmt"
	"sync"

	"github.com/cometbft/cometbft/crypto"
	"github.com/cometbft/cometbft/privval"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
)

// Heights that this process may sign; both ends count.  The zero value opens none.
type grant struct {
	Lo int64 `json:"lo"`
	Hi int64 `json:"hi"`
}

// leased signs with CometBFT's own file signer, inside a grant that lives in this process's memory only (R8).
//
// The file signer keeps height, round and step rising, gives the very same signature for the very same sign
// bytes, and writes its state before it returns; durable then has it on the disk before the signature leaves (R1).
type leased struct {
	mu      sync.Mutex
	pv      *privval.FilePV
	state   *durable
	session string
	grant   grant
	stopped bool
	end     func()
}

// GetPubKey tells whose signatures these are; no grant is needed for that.
func (l *leased) GetPubKey() (crypto.PubKey, error) { return l.pv.GetPubKey() }

// SignVote signs a vote whose height the grant opens.
func (l *leased) SignVote(chainID string, vote *cmtproto.Vote) error {
	unsigned := *vote
	err := l.sign(vote.Height, func() error { return l.pv.SignVote(chainID, vote) })
	if err != nil {
		*vote = unsigned
	}
	return err
}

// SignProposal signs a proposal whose height the grant opens.
func (l *leased) SignProposal(chainID string, proposal *cmtproto.Proposal) error {
	unsigned := *proposal
	err := l.sign(proposal.Height, func() error { return l.pv.SignProposal(chainID, proposal) })
	if err != nil {
		*proposal = unsigned
	}
	return err
}

func (l *leased) sign(height int64, sign func() error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		return fmt.Errorf("the lease was released: nothing more is signed")
	}
	if height < l.grant.Lo || height > l.grant.Hi {
		return fmt.Errorf("height %d is outside of the lease, which opens %d to %d", height, l.grant.Lo, l.grant.Hi)
	}
	if err := sign(); err != nil {
		return err
	}
	if err := l.state.keep(); err != nil {
		// Nobody knows what is on the disk now.
		l.stopped = true
		return fmt.Errorf("the signing state may not be on the disk: %w", err)
	}
	return nil
}

// What the keeper is told.
type status struct {
	Session string `json:"session"`
	Address string `json:"address"`
	Height  int64  `json:"height"`
	Round   int32  `json:"round"`
	Step    int8   `json:"step"`
	Lo      int64  `json:"lo"`
	Hi      int64  `json:"hi"`
	Stopped bool   `json:"stopped"`
}

// What the keeper asks for; every order but "status" names the session that it is meant for.
type order struct {
	Op      string `json:"op"`
	Session string `json:"session"`
	grant
}

func (l *leased) obey(o order) (status, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if o.Op != "status" && o.Session != l.session {
		return status{}, fmt.Errorf("that was meant for session %q, and this is %q", o.Session, l.session)
	}
	switch o.Op {
	case "status":
	case "grant":
		if l.stopped || o.Lo < 1 || o.Hi < o.Lo {
			return status{}, fmt.Errorf("no grant of %d to %d can be taken now", o.Lo, o.Hi)
		}
		l.grant = o.grant
	case "revoke":
		l.grant = grant{}
	case "stop":
		l.stopped, l.grant = true, grant{}
	case "end":
		if !l.stopped {
			return status{}, fmt.Errorf("only a stopped signer ends")
		}
		l.end()
	default:
		return status{}, fmt.Errorf("there is no order %q", o.Op)
	}
	last := l.pv.LastSignState
	return status{
		l.session, l.pv.GetAddress().String(), last.Height, last.Round, last.Step, l.grant.Lo, l.grant.Hi, l.stopped,
	}, nil
}
