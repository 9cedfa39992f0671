package gitsinktest

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/kubescribe/kubescribe/gitsink/internal/loopback"
)

// HostileServers returns cases with Git servers on the loopback interface that answer in order to
// harm: without an end, not at all, with something that is not Git, or with a lie. Behind each
// server stands an honest one, which answers the other requests. The sink must log in with
// [HostileLogin].
func HostileServers() []Hostile {
	var all []Hostile
	for _, some := range [][]Hostile{
		honestServers(), endlessAdvertisements(), falseAdvertisements(), webPages(), redirects(), falseHTTP(), brokenConnections(),
		falseFetches(), falsePacks(), deltaBombs(), falseReports(), falsePushes(), hostileStreams(), hostileSSH(),
	} {
		all = append(all, some...)
	}
	return all
}

// The promises that the cases check, quoted from the documentation.
const (
	promiseOfAnswers  = "Whatever a server answers, it is read within bounds in bytes, after decompression, and in time"
	promiseOfWords    = "the server's own words, as one line that can be shown; without credentials"
	promiseOfProtocol = "ErrProtocol: what came is no answer of Git's protocol."
	promiseOfRefusal  = "ErrRefused: the server answered with a refusal whose words are not known."
	promiseOfNoAnswer = "ErrUnavailable: no answer came, or one that says to come again."
	promiseOfMoves    = "HTTP follows an advertisement that has moved, but with credentials only to the same host"
	promiseOfTime     = "When ctx ends, Apply returns within about 10 seconds."
	promiseOfRest     = "is not asked before with those credentials, by any lane of that repository: Error.RetryAfter, an hour at most."
	promiseOfObjects  = "A missing object is an error, never an empty folder."
	promiseOfReports  = "A report that contradicts itself, is not understood or says nothing of the branch is not believed"
	promiseOfNil      = "nil from Apply means that the remote has what the plan wanted."
	promiseOfKinds    = "ErrUnsupported: the repository or the server needs what this sink cannot do, such as an object-format that is unknown here."
)

// Login is what a sink shows to the servers of [HostileServers]. By it they notice credentials that
// went to the wrong server.
type Login struct {
	Username, Password string // of HTTP Basic
	SSHPrivateKey      []byte // in OpenSSH's format
	KnownHosts         []byte // a known_hosts file with the SSH servers of the cases
}

// HostileLogin returns the Login that the servers of [HostileServers] expect. It is secret, and the
// same in all of a process.
func HostileLogin() Login { return keysOfProcess().login }

type hostileKeys struct {
	login        Login
	host, client ssh.Signer
}

var keysOfProcess = sync.OnceValue(func() hostileKeys {
	host, _, err := loopback.NewSSHKey()
	if err != nil {
		panic(fmt.Sprintf("gitsinktest: ssh host key: %v", err))
	}
	client, private, err := loopback.NewSSHKey()
	if err != nil {
		panic(fmt.Sprintf("gitsinktest: ssh client key: %v", err))
	}
	known := append([]byte("* "), ssh.MarshalAuthorizedKey(host.PublicKey())...)
	return hostileKeys{Login{"gitsinktest", rand.Text(), private, known}, host, client}
})

// secretsOfLogin returns the texts that no error may hold.
func secretsOfLogin() []string {
	l := HostileLogin()
	return []string{l.Password, base64.StdEncoding.EncodeToString([]byte(l.Username + ":" + l.Password))}
}

const (
	base    = "base"                 // the base folder where it does not matter
	soon    = 400 * time.Millisecond // when the context ends where nothing else ends the Apply
	lateEnd = 20 * time.Second       // the longest that an Apply may take then
)

// pkt is a pkt-line (gitprotocol-common(5)).
func pkt(text string) string { return fmt.Sprintf("%04x%s", len(text)+4, text) }

const flushPkt = "0000"

// honestServers must succeed. They show that the hostile ones do not fail for another reason.
func honestServers() []Hostile {
	honest := func(*hostileServer, *turn) bool { return false }
	return []Hostile{
		served(Hostile{Name: "a server that does as it should", Promise: promiseOfNil, BaseFolder: base}, honest),
		streamed(Hostile{Name: "a server of git's own protocol that does as it should", Promise: promiseOfNil, Protocol: "git", BaseFolder: base}, honestStream),
		overSSH(Hostile{Name: "a server of SSH that does as it should", Promise: promiseOfNil, BaseFolder: base}, honestChannel),
	}
}
