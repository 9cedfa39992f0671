package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
)

// memory is what is known of a package from earlier runs. Outcomes are of the package as Source
// says; after a change they say which test to try first.
type memory struct {
	Source   string
	Outcomes map[string]outcome // by key
	Cases    map[string]look    // by suite and test
}

// look is what a test has looked at, when its file was this.
type look struct {
	File  string
	Took  int64 // nanoseconds
	Fails bool
	Reach []byte
}

func memoryOf(folder, importPath string) (path string, m *memory) {
	m = &memory{Outcomes: map[string]outcome{}, Cases: map[string]look{}}
	path = filepath.Join(folder, strings.ReplaceAll(importPath, "/", "_")+".json")
	if data, err := os.ReadFile(path); err != nil || json.Unmarshal(data, m) != nil {
		m = &memory{Outcomes: map[string]outcome{}, Cases: map[string]look{}}
	}
	return path, m
}

func (m *memory) write(path string) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func hash(parts ...[]byte) string {
	h := sha256.New()
	for _, p := range parts {
		sum := sha256.Sum256(p)
		h.Write(sum[:])
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}
