// Command goldnode-signer signs for one validator, inside the heights that its lease keeper grants it.
//
// It dials the daemon's priv_validator_laddr, a unix socket, and takes orders on a socket of its own, one JSON
// document a line.  It is all that can read the consensus key; it knows no network and no clock.
package main

import (
	"bufio"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/cometbft/cometbft/libs/log"
	"github.com/cometbft/cometbft/privval"
)

// Version is what `goldnode-signer -version` answers.
const version = "1.0.0"

func main() {
	daemon := flag.String("daemon", "", "the daemon's unix socket, to be dialled")
	control := flag.String("control", "", "unix socket to listen on for orders")
	chain := flag.String("chain-id", "", "the only chain to sign for")
	key := flag.String("key", "", "priv_validator_key.json")
	state := flag.String("state", "", "priv_validator_state.json")
	asked := flag.Bool("version", false, "say the version and end")
	flag.Parse()
	if *asked {
		fmt.Println("goldnode-signer", version)
		return
	}
	logger := log.NewFilter(log.NewTMLogger(log.NewSyncWriter(os.Stderr)), log.AllowInfo())
	if err := run(*daemon, *control, *chain, *key, *state, logger); err != nil {
		fmt.Fprintln(os.Stderr, "goldnode-signer:", err)
		os.Exit(1)
	}
}

func run(daemon, control, chain, key, state string, logger log.Logger) error {
	if daemon == "" || control == "" || chain == "" || key == "" || state == "" {
		return fmt.Errorf("-daemon, -control, -chain-id, -key and -state are all needed")
	}
	// The socket's folder is below /run, in memory.
	memory := filepath.Join(filepath.Dir(control), "state.json")
	kept, err := openDurable(state, memory)
	if err != nil {
		return err
	}
	random := make([]byte, 16)
	if _, err := rand.Read(random); err != nil {
		return err
	}
	signer := &leased{pv: privval.LoadFilePV(key, memory), state: kept, session: hex.EncodeToString(random),
		end: func() { time.AfterFunc(100*time.Millisecond, func() { os.Exit(0) }) }}

	// A socket of the process before us is in the way.
	if err := os.Remove(control); err != nil && !os.IsNotExist(err) {
		return err
	}
	orders, err := net.Listen("unix", control)
	if err != nil {
		return err
	}
	endpoint := privval.NewSignerDialerEndpoint(logger, privval.DialUnixFn(daemon),
		// The daemon may be away for as long as it likes.
		privval.SignerDialerEndpointConnRetries(int(^uint(0)>>1)),
		privval.SignerDialerEndpointRetryWaitInterval(50*time.Millisecond))
	if err := privval.NewSignerServer(endpoint, chain, signer).Start(); err != nil {
		return err
	}
	for {
		connection, err := orders.Accept()
		if err != nil {
			return err
		}
		go listen(signer, connection)
	}
}

func listen(signer *leased, connection net.Conn) {
	defer connection.Close()
	lines := bufio.NewScanner(connection)
	answers := json.NewEncoder(connection)
	for lines.Scan() {
		var o order
		err := json.Unmarshal(lines.Bytes(), &o)
		var answer any
		if err == nil {
			answer, err = signer.obey(o)
		}
		if err != nil {
			answer = map[string]string{"error": err.Error()}
		}
		if answers.Encode(answer) != nil {
			return
		}
	}
}
