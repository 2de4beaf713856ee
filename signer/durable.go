package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
)

// durable puts the signing state on the disk, before a signature leaves (R1).
//
// CometBFT's file signer syncs its state before it renames it, and the rename never, so a power cut could bring the
// state before it back.  Here that signer writes to memory (a tmpfs), and the very same bytes then go to the disk:
// written, renamed, and only then synced, file and folder, which costs one commit of the journal.
//
// On any file system a signature leaves only after both syncs, so a power cut leaves what was signed, or, before that,
// one of: the state before, the new one, or an empty file.  The last cannot be on ext4, which is what goldnode formats:
// it writes a file's data before it commits a rename over another (auto_da_alloc, on unless mounted noauto_da_alloc).
// From an empty state nothing is signed: it costs a person's time, never a second signature (ADR 262).
type durable struct {
	memory  string
	path    string
	folder  *os.File
	written []byte
}

// openDurable copies the state from the disk to memory; what a process before us left there is overwritten.
func openDurable(path, memory string) (*durable, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, fmt.Errorf("%s is empty: nobody knows what was signed; goldnode key recover", path)
	}
	if err := os.WriteFile(memory, text, 0o600); err != nil {
		return nil, err
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	return &durable{memory, path, folder, text}, nil
}

// keep brings what the file signer wrote to the disk; after an error nobody knows what is there.
func (d *durable) keep() error {
	text, err := os.ReadFile(d.memory)
	if err != nil || bytes.Equal(text, d.written) {
		return err
	}
	draft, err := os.OpenFile(d.path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer draft.Close()
	if _, err := draft.Write(text); err != nil {
		return err
	}
	if err := os.Rename(draft.Name(), d.path); err != nil {
		return err
	}
	// After the rename, so that a journal that has both in one commit is waited for once.
	if err := draft.Sync(); err != nil {
		return err
	}
	if err := d.folder.Sync(); err != nil {
		return err
	}
	d.written = text
	return nil
}
