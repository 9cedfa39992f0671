package gogit

import (
	"slices"
	"strings"

	"github.com/kubescribe/kubescribe/gitsink"
)

// phrase is what servers and libraries say only in words, in lower case.
type phrase struct {
	words string
	class error
}

// libraryPhrases are the words of a failure on this side of the connection.
var libraryPhrases = []phrase{
	{"unable to authenticate", gitsink.ErrAuth}, // x/crypto/ssh
	// OpenSSH, as the reason to disconnect
	{"too many authentication failures", gitsink.ErrAuth},
	// Our own: mismatch, unknown, revoked, of another type.
	{"known_hosts: ", gitsink.ErrAuth},
	{"ssh: no common algorithm", gitsink.ErrUnsupported}, // x/crypto/ssh
	// crypto/x509: it is renewed, or a clock was set.
	{"expired or is not yet valid", gitsink.ErrUnavailable},
	// crypto/tls: unknown authority, another name.
	{"failed to verify certificate", gitsink.ErrAuth},
	{"certificate signed by unknown", gitsink.ErrAuth}, // crypto/x509
	// crypto/tls: a client certificate is wanted.
	{"tls: certificate required", gitsink.ErrAuth},
	{"tls: bad certificate", gitsink.ErrAuth},                   // crypto/tls: another one
	{"tls: unknown certificate", gitsink.ErrAuth},               //
	{"proxy authentication required", gitsink.ErrAuth},          // net/http
	{"server gave http response to https", gitsink.ErrNotFound}, // net/http: the URL is wrong
	// crypto/tls: the same, of a proxy.
	{"first record does not look like a tls", gitsink.ErrNotFound},
	{"response headers exceeded", gitsink.ErrTooLarge}, // net/http
	// net/http: response, version, status code.
	{"malformed http", gitsink.ErrProtocol},
	{"content-length", gitsink.ErrProtocol}, // net/http: bad, or several
	// net/http: empty, too large, an invalid byte.
	{"chunk length", gitsink.ErrProtocol},
	// net/http: malformed, too much beside the data.
	{"chunked encoding", gitsink.ErrProtocol},
	{"chunked line", gitsink.ErrProtocol}, // net/http
	// crypto/tls: the alert that goes to the server.
	{"local error: tls: ", gitsink.ErrProtocol},
	{"tls: received record with version", gitsink.ErrProtocol}, // crypto/tls
	{"tls: oversized record", gitsink.ErrProtocol},             // crypto/tls
}

// serverPhrases are the words of servers; the first that is found decides. It is one table for
// every phase and transport, since hosts say the same from a hook, by SSH, as a body of HTTP and
// in an ERR line. What they were taken from is in docs/server-words.md.
//
// What asks for fewer requests comes first, whatever else is said. What may be about the content
// of one plan comes next: it must not count against the branch.
var serverPhrases = []phrase{
	{"rate limit", gitsink.ErrUnavailable}, // GitHub answers 403
	{"too many requests", gitsink.ErrUnavailable},
	{"tf400733", gitsink.ErrUnavailable},             // Azure DevOps: exceeding usage of resource
	{"too many connections", gitsink.ErrUnavailable}, // soft-serve

	{"gh001", gitsink.ErrTooLarge}, // GitHub: large files detected
	{"file size limit", gitsink.ErrTooLarge},
	{"exceeds maximum allowed size", gitsink.ErrTooLarge}, // receive.maxInputSize
	{"blobs which exceed", gitsink.ErrTooLarge},           // GitLab
	// GitHub, GitLab, Bitbucket: of a repository
	{"size limit", gitsink.ErrTooLarge},
	{"tf402462", gitsink.ErrTooLarge}, // Azure DevOps: the push
	// Of the server's file system, as a full disk.
	{"disk quota exceeded", gitsink.ErrUnavailable},
	{"quota exceeded", gitsink.ErrTooLarge},              // Forgejo
	{"push cannot contain secrets", gitsink.ErrRejected}, // GitHub, with GH013
	// Azure DevOps: the push contains secrets
	{"vs403654", gitsink.ErrRejected},
	{"gh007", gitsink.ErrRejected}, // GitHub: a private e-mail address
	{"gh008", gitsink.ErrRejected}, // GitHub: unknown LFS objects
	// GitHub: a workflow, pushed with a token that may not
	{"refusing to allow", gitsink.ErrRejected},
	// GitLab: pushes to protected branches that contain changes to files
	{"codeowners", gitsink.ErrRejected},
	// GitLab: of commit messages, addresses, branches
	{"does not follow the pattern", gitsink.ErrRejected},
	{"cannot push commits for", gitsink.ErrRejected}, // GitLab
	{"lfs objects are missing", gitsink.ErrRejected}, // GitLab
	{"secrets detected", gitsink.ErrRejected},        // GitLab
	{"commit must be signed", gitsink.ErrRejected},   // GitLab: a push rule
	// Gitea: branch is protected from changing file
	{"from changing file", gitsink.ErrRejected},
	{"missing change-id", gitsink.ErrRejected},           // Gerrit
	{"not match your user account", gitsink.ErrRejected}, // Gerrit: the committer's address
	{"fsck error", gitsink.ErrRejected},                  // Git: receive.fsckObjects
	{"deny updating a hidden ref", gitsink.ErrRejected},  // Git: transfer.hideRefs

	{"gh006", gitsink.ErrProtected}, // GitHub: protected branch update failed
	{"gh013", gitsink.ErrProtected}, // GitHub: repository rule violations
	{"protected branch", gitsink.ErrProtected},
	{"is protected", gitsink.ErrProtected}, // Gitea
	// GitLab: an empty project, and only maintainers may
	{"create a default branch", gitsink.ErrProtected},
	{"was archived", gitsink.ErrProtected},      // GitHub
	{"is archived", gitsink.ErrProtected},       // Gitea
	{"mirror repository", gitsink.ErrProtected}, // Gitea: is read-only
	{"read-only gitlab instance", gitsink.ErrProtected},
	// Azure DevOps: must use a pull request
	{"tf402455", gitsink.ErrProtected},
	{"only be modified through pull", gitsink.ErrProtected},      // Bitbucket Data Center
	{"permission denied to update branch", gitsink.ErrProtected}, // Bitbucket Cloud
	// Bitbucket Cloud: over the limits of the account
	{"restricted to read-only access", gitsink.ErrProtected},
	{"prohibited by gerrit", gitsink.ErrProtected},

	// The reference is locked by somebody who has not finished, or the server has troubles of its
	// own.
	{"failed to update ref", gitsink.ErrUnavailable},
	{"cannot lock ref", gitsink.ErrUnavailable},
	{".lock': file exists", gitsink.ErrUnavailable},
	{"failed to lock", gitsink.ErrUnavailable}, // JGit, so Gerrit
	// Azure DevOps: updated by another client
	{"tf401028", gitsink.ErrUnavailable},
	// Gitea: of any reason; see signatureHints
	{"internal server error (no message", gitsink.ErrRefused},
	{"internal server error", gitsink.ErrUnavailable},
	{"commit_refs", gitsink.ErrUnavailable}, // GitHub: fatal error in commit_refs
	// GitLab: the repository is being moved
	{"temporarily read-only", gitsink.ErrUnavailable},
	{"maintenance mode", gitsink.ErrUnavailable},         // GitLab
	{"read-only mode", gitsink.ErrUnavailable},           // Bitbucket Cloud: for some minutes
	{"push operation timed out", gitsink.ErrUnavailable}, // GitLab
	// Gitea: it is being created or moved
	{"repository cannot be accessed", gitsink.ErrUnavailable},
	{"no space left on device", gitsink.ErrUnavailable},
	{"read-only file system", gitsink.ErrUnavailable},
	// Git, of a disk that is read-only or has no inode left
	{"unable to create temporary object directory", gitsink.ErrUnavailable},
	{"input/output error", gitsink.ErrUnavailable},
	{"too many open files", gitsink.ErrUnavailable},
	{"cannot allocate memory", gitsink.ErrUnavailable},
	{"out of memory", gitsink.ErrUnavailable},
	{"fork failed", gitsink.ErrUnavailable},
	{"died of signal", gitsink.ErrUnavailable},

	{"could not be found or you don't have permission", gitsink.ErrNotFound}, // GitLab
	{"a repository for this project does not exist", gitsink.ErrNotFound},    // GitLab
	// Azure DevOps: no such repository
	{"tf401019", gitsink.ErrNotFound},
	{"does not appear to be a git repository", gitsink.ErrNotFound},
	{"access denied or repository not exported", gitsink.ErrNotFound}, // git daemon
	{"no such repository", gitsink.ErrNotFound},                       // git daemon
	{"repository not found", gitsink.ErrNotFound},
	{"repository does not exist", gitsink.ErrNotFound},     // Bitbucket, Gitea
	{"cannot find repository", gitsink.ErrNotFound},        // Gitea
	{"push to create is not enabled", gitsink.ErrNotFound}, // Gitea: there is no such repository
	{"project not found", gitsink.ErrNotFound},             // Gerrit

	// GitHub: permission to REPO denied to USER
	{"denied to ", gitsink.ErrAuth},
	{"marked as read only", gitsink.ErrAuth}, // GitHub: a deploy key
	// GitHub: a token without write access
	{"repository not granted", gitsink.ErrAuth},
	{"enforced saml sso", gitsink.ErrAuth},                   // GitHub
	{"ip allow list", gitsink.ErrAuth},                       // GitHub
	{"password authentication was removed", gitsink.ErrAuth}, // GitHub
	{"does not have write access", gitsink.ErrAuth},          // GitLab: a deploy key
	{"account has been", gitsink.ErrAuth},                    // GitLab: blocked, deactivated
	{"account is pending approval", gitsink.ErrAuth},         // GitLab
	{"accept the terms of service", gitsink.ErrAuth},         // GitLab
	{"otp verification is required", gitsink.ErrAuth},        // GitLab
	{"your password expired", gitsink.ErrAuth},               // GitLab
	{"ssh key has expired", gitsink.ErrAuth},                 // GitLab
	{"not allowed to upload code", gitsink.ErrAuth},          // GitLab
	{"not allowed to push", gitsink.ErrAuth},                 // GitLab: code to this project
	{"not allowed to download code", gitsink.ErrAuth},        // GitLab
	{"over http is not allowed", gitsink.ErrAuth},            // GitLab: pushing, pulling
	{"http basic: access denied", gitsink.ErrAuth},           // GitLab
	{"account is disabled", gitsink.ErrAuth},                 // Gitea
	// Gitea: to write to REPO; Azure DevOps (TF400813): to access this resource
	{"is not authorized to", gitsink.ErrAuth},
	{"cannot find key", gitsink.ErrAuth},           // Gitea
	{"two-factor authentication", gitsink.ErrAuth}, // Gitea: passwords do not open it
	// Azure DevOps: needs GenericContribute
	{"tf401027", gitsink.ErrAuth},
	// Azure DevOps: a conditional access policy
	{"vs403463", gitsink.ErrAuth},
	{"public key authentication failed", gitsink.ErrAuth}, // Azure DevOps
	{"repository access denied", gitsink.ErrAuth},         // Bitbucket Cloud
	{"not authorized to do this", gitsink.ErrAuth},        // soft-serve
	// Git: the repository is another user's; safe.directory
	{"dubious ownership", gitsink.ErrAuth},
	{"permission denied", gitsink.ErrAuth}, // Gitea: for writing; the file system

	{"hook declined", gitsink.ErrRejected}, // Git: of whatever the hook thinks
}

// signatureHints are words behind which may be a branch that wants its commits signed.
var signatureHints = []string{
	"internal server error (no message", // Gitea
	"unverified commit",                 // Gitea
	"verified signatures",               // GitHub
	"must be signed",                    // GitLab
}

// signatureHint says what to do if signatures may be what a server that refused a push misses, and
// else nothing.
func signatureHint(text string, signed bool) string {
	text = strings.ToLower(text)
	switch {
	case !slices.ContainsFunc(signatureHints, func(hint string) bool { return strings.Contains(text, hint) }):
		return ""
	case signed:
		return "if the branch is protected and wants signed commits, see that the server knows the key of Options.Signer " +
			"and that the address of Options.Committer is its owner's"
	}
	return "if the branch is protected and wants signed commits, set Options.Signer"
}

func find(phrases []phrase, text string) error {
	text = strings.ToLower(text)
	for _, p := range phrases {
		if strings.Contains(text, p.words) {
			return p.class
		}
	}
	return nil
}

// classOfRefusal is the class of what a server says when it refuses a push. Never of use to tell
// a branch that has moved: every server has its own words for that.
func classOfRefusal(text string) error {
	if class := find(serverPhrases, text); class != nil {
		return class
	}
	return gitsink.ErrRejected
}
