package gogit

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/smart"
	"github.com/kubescribe/kubescribe/internal/quote"
	"github.com/kubescribe/kubescribe/queue"
)

// How words reach a client.
const (
	byPush = 0 // in the report of a push, or beside it
	bySSH  = 1 // in place of the advertisement; HTTP has a status for it
)

type hostWord struct {
	host  string
	by    int // byPush, bySSH, or the status of HTTP
	words string
	class error
}

// hostWords is what servers say, as it was seen. The page docs/server-words.md is the table of it.
var hostWords = []hostWord{
	{"GitHub", byPush, "pre-receive hook declined\nerror: GH001: Large files detected.", gitsink.ErrTooLarge},
	{"GitHub", byPush, "pre-receive hook declined\nerror: File big is 123.00 MB; this exceeds GitHub's file size limit of 100.00 MB", gitsink.ErrTooLarge},
	{"GitHub", byPush, "push declined due to repository rule violations\nGH013: Repository rule violations found for refs/heads/main.\n- GITHUB PUSH PROTECTION\n- Push cannot contain secrets", gitsink.ErrRejected},
	{"GitHub", byPush, "push declined due to email privacy restrictions\nerror: GH007: Your push would publish a private email address.", gitsink.ErrRejected},
	{"GitHub", byPush, "pre-receive hook declined\nerror: GH008: Your push referenced at least 1 unknown Git LFS object:", gitsink.ErrRejected},
	{"GitHub", byPush, "refusing to allow a Personal Access Token to create or update workflow `.github/workflows/ci.yml` without `workflow` scope", gitsink.ErrRejected},
	{"GitHub", byPush, "protected branch hook declined\nerror: GH006: Protected branch update failed for refs/heads/main.\nerror: Changes have been requested.", gitsink.ErrProtected},
	{"GitHub", byPush, "push declined due to repository rule violations\nerror: GH013: Repository rule violations found for refs/heads/main.\n- Changes must be made through a pull request.", gitsink.ErrProtected},
	{"GitHub", bySSH, "ERROR: This repository was archived so it is read-only.", gitsink.ErrProtected},
	{"GitHub", http.StatusForbidden, "This repository was archived so it is read-only.", gitsink.ErrProtected},
	{"GitHub", bySSH, "ERROR: Permission to org/app.git denied to bot.", gitsink.ErrAuth},
	{"GitHub", http.StatusForbidden, "Permission to org/app.git denied to bot.", gitsink.ErrAuth},
	{"GitHub", bySSH, "ERROR: The key you are authenticating with has been marked as read only.", gitsink.ErrAuth},
	{"GitHub", bySSH, "ERROR: Write access to repository not granted.", gitsink.ErrAuth},
	{"GitHub", http.StatusForbidden, "Write access to repository not granted.", gitsink.ErrAuth},
	{"GitHub", bySSH, "ERROR: The 'org' organization has enabled or enforced SAML SSO.", gitsink.ErrAuth},
	{"GitHub", http.StatusForbidden, "The 'org' organization has enabled or enforced SAML SSO.", gitsink.ErrAuth},
	{"GitHub", bySSH, "ERROR: The repository owner has an IP allow list enabled, and 192.0.2.1 is not permitted to access this repository.", gitsink.ErrAuth},
	{"GitHub", http.StatusUnauthorized, "Support for password authentication was removed on August 13, 2021.", gitsink.ErrAuth},
	{"GitHub", bySSH, "ERROR: Repository not found.", gitsink.ErrNotFound},
	{"GitHub", http.StatusNotFound, "Repository not found.", gitsink.ErrNotFound},
	{"GitHub", byPush, "Internal Server Error", gitsink.ErrUnavailable},
	{"GitHub", byPush, "fatal error in commit_refs", gitsink.ErrUnavailable},
	{"GitHub", http.StatusForbidden, "You have exceeded a secondary rate limit.", gitsink.ErrUnavailable},

	{"GitLab", byPush, "pre-receive hook declined\nGitLab: You are not allowed to push code to protected branches on this project.", gitsink.ErrProtected},
	{"GitLab", byPush, "pre-receive hook declined\nGitLab: You are not allowed to create protected branches on this project.", gitsink.ErrProtected},
	{"GitLab", byPush, "pre-receive hook declined\nGitLab: A default branch (e.g. main) does not yet exist for org/app\nAsk a project Owner or Maintainer to create a default branch:", gitsink.ErrProtected},
	{"GitLab", http.StatusForbidden, "You can't push code to a read-only GitLab instance.", gitsink.ErrProtected},
	{"GitLab", byPush, "You can't push code to a read-only GitLab instance.", gitsink.ErrProtected},
	{"GitLab", byPush, "pre-receive hook declined\nGitLab: You are not allowed to push code to this project.", gitsink.ErrAuth},
	{"GitLab", http.StatusForbidden, "You are not allowed to push code to this project.", gitsink.ErrAuth},
	{"GitLab", bySSH, "remote: You are not allowed to push code to this project.", gitsink.ErrAuth},
	{"GitLab", http.StatusForbidden, "You are not allowed to upload code for this project.", gitsink.ErrAuth},
	{"GitLab", bySSH, "remote: You are not allowed to upload code for this project.", gitsink.ErrAuth},
	{"GitLab", bySSH, "ERROR: This deploy key does not have write access to this project.", gitsink.ErrAuth},
	{"GitLab", bySSH, "remote: Your account has been blocked.", gitsink.ErrAuth},
	{"GitLab", http.StatusUnauthorized, "HTTP Basic: Access denied. The provided password or token is incorrect or your account has 2FA enabled", gitsink.ErrAuth},
	{"GitLab", http.StatusForbidden, "Pushing over HTTP is not allowed.", gitsink.ErrAuth},
	{"GitLab", bySSH, "remote: The project you were looking for could not be found or you don't have permission to view it.", gitsink.ErrNotFound},
	{"GitLab", byPush, "pre-receive hook declined\nGitLab: You are attempting to check in one or more blobs which exceed the 100MiB limit", gitsink.ErrTooLarge},
	{"GitLab", byPush, "pre-receive hook declined\nGitLab: Your push has been rejected, because this repository has exceeded its size limit of 100 MB by 160 MB.", gitsink.ErrTooLarge},
	{"GitLab", http.StatusForbidden, "Your push has been rejected, because this repository has exceeded its size limit of 100 MB by 160 MB.", gitsink.ErrTooLarge},
	{"GitLab", byPush, "pre-receive hook declined\nGitLab: Commit message does not follow the pattern '^JIRA-'", gitsink.ErrRejected},
	{"GitLab", byPush, "pre-receive hook declined\nGitLab: You cannot push commits for 'bot@example.com'. You can only push commits if the committer email is one of your own verified emails", gitsink.ErrRejected},
	{"GitLab", byPush, "pre-receive hook declined\nGitLab: LFS objects are missing. Ensure LFS is properly set up or try a manual \"git lfs push --all\".", gitsink.ErrRejected},
	{"GitLab", byPush, "pre-receive hook declined\nGitLab: PUSH BLOCKED: Secrets detected in code changes", gitsink.ErrRejected},
	{"GitLab", byPush, "pre-receive hook declined\nGitLab: Pushes to protected branches that contain changes to files that match patterns defined in `CODEOWNERS` are disabled for this project.", gitsink.ErrRejected},
	{"GitLab", http.StatusForbidden, "The repository is temporarily read-only. Please try again later.", gitsink.ErrUnavailable},
	{"GitLab", byPush, "pre-receive hook declined\nGitLab: The repository is temporarily read-only. Please try again later.", gitsink.ErrUnavailable},
	{"GitLab", http.StatusForbidden, "Git push is not allowed because this GitLab instance is currently in (read-only) maintenance mode.", gitsink.ErrUnavailable},
	{"GitLab", bySSH, "remote: Git push is not allowed because this GitLab instance is currently in (read-only) maintenance mode.", gitsink.ErrUnavailable},
	{"GitLab", byPush, "GitLab: Push operation timed out\n\nTiming information for debugging purposes:", gitsink.ErrUnavailable},

	{"Gitea, Forgejo", byPush, "pre-receive hook declined\nGitea: Not allowed to push to protected branch main", gitsink.ErrProtected},
	{"Gitea, Forgejo", byPush, "pre-receive hook declined\nGitea: branch main is protected from force push", gitsink.ErrProtected},
	{"Gitea, Forgejo", http.StatusForbidden, "This repo is archived. You can view files and clone it, but cannot push or open issues/pull-requests.", gitsink.ErrProtected},
	{"Gitea, Forgejo", bySSH, "Gitea: Repo: org/app is archived.", gitsink.ErrProtected},
	{"Gitea, Forgejo", http.StatusForbidden, "mirror repository is read-only", gitsink.ErrProtected},
	{"Gitea, Forgejo", bySSH, "Gitea: Mirror Repository org/app is read-only", gitsink.ErrProtected},
	{"Gitea, Forgejo", byPush, "pre-receive hook declined\nGitea: branch main is protected from changing file secret.yaml", gitsink.ErrRejected},
	{"Gitea, Forgejo", bySSH, "Gitea: User: 2:bot with Key: 1:key is not authorized to write to org/app.", gitsink.ErrAuth},
	{"Gitea, Forgejo", http.StatusForbidden, "User permission denied", gitsink.ErrAuth},
	{"Gitea, Forgejo", bySSH, "Gitea: Cannot find repository: org/app", gitsink.ErrNotFound},
	{"Gitea, Forgejo", http.StatusNotFound, "Repository not found", gitsink.ErrNotFound},
	{"Gitea, Forgejo", byPush, "pre-receive hook declined\nForgejo: Quota exceeded", gitsink.ErrTooLarge},

	{"Bitbucket", byPush, "pre-receive hook declined\nBranch refs/heads/main can only be modified through pull requests.", gitsink.ErrProtected},
	{"Bitbucket", byPush, "pre-receive hook declined\nPermission denied to update branch main.", gitsink.ErrProtected},
	{"Bitbucket", bySSH, "conq: repository access denied.", gitsink.ErrAuth},
	{"Bitbucket", bySSH, "repository access denied. access via a deployment key is read-only.", gitsink.ErrAuth},
	{"Bitbucket", bySSH, "conq: repository does not exist.", gitsink.ErrNotFound},
	{"Bitbucket", byPush, "pre-receive hook declined\nThe repository is in read-only mode", gitsink.ErrUnavailable},

	{"Azure DevOps", byPush, "TF402455: Pushes to this branch are not permitted; you must use a pull request to update this branch.", gitsink.ErrProtected},
	{"Azure DevOps", byPush, "TF401027: You need the Git 'GenericContribute' permission to perform this action.", gitsink.ErrAuth},
	{"Azure DevOps", byPush, "TF402462: This push was rejected because its size is greater than the 5120 MB limit for pushes in this repository.", gitsink.ErrTooLarge},
	{"Azure DevOps", byPush, "error VS403654: The push was rejected because it contains one or more secrets.", gitsink.ErrRejected},
	{"Azure DevOps", byPush, "TF401028: The reference 'refs/heads/main' has already been updated by another client, so you cannot update it.", gitsink.ErrUnavailable},
	{"Azure DevOps", http.StatusForbidden, "TF400733: The request has been canceled: Request was blocked due to exceeding usage of resource 'RateLimit'.", gitsink.ErrUnavailable},
	{"Azure DevOps", bySSH, "remote: TF401019: The Git repository with name or identifier app does not exist or you do not have permissions", gitsink.ErrNotFound},
	{"Azure DevOps", http.StatusNotFound, "TF401019: The Git repository with name or identifier app does not exist or you do not have permissions", gitsink.ErrNotFound},

	{"Gitea, Forgejo", http.StatusForbidden, "Push to create is not enabled for users.", gitsink.ErrNotFound},
	{"Gitea, Forgejo", bySSH, "Gitea: Push to create is not enabled for organizations.", gitsink.ErrNotFound},
	{"Gitea, Forgejo", byPush, "pre-receive hook declined\nGitea: User permission denied for writing.", gitsink.ErrAuth},
	{"Gitea, Forgejo", bySSH, "Gitea: Your account is disabled.", gitsink.ErrAuth},
	{"Gitea, Forgejo", bySSH, "Gitea: Cannot find key: 7", gitsink.ErrAuth},
	{"Gitea, Forgejo", http.StatusUnauthorized, "Users with two-factor authentication enabled cannot perform HTTP/HTTPS operations via plain username and password.", gitsink.ErrAuth},
	{"Gitea, Forgejo", byPush, "pre-receive hook declined\nGitea: Internal Server Error (no message for end users)", gitsink.ErrRefused},
	{"Gitea, Forgejo", byPush, "pre-receive hook declined\nGitea: branch main is protected from unverified commit 7fd1a60b", gitsink.ErrProtected},
	{"Gitea, Forgejo", bySSH, "Gitea: Repository cannot be accessed, you could retry it later", gitsink.ErrUnavailable},
	{"Gitea, Forgejo", bySSH, "error:\nerror: Public (Deploy) Key: 5:key is not authorized to write to org/app.\nerror:", gitsink.ErrAuth},
	{"Gitea, Forgejo", bySSH, "error:\nerror: Deploy Key: 4:key is not authorized to write to org/app.\nerror:", gitsink.ErrAuth},

	{"soft-serve", bySSH, "Error: repository not found", gitsink.ErrNotFound},
	{"soft-serve", bySSH, "Error: you are not authorized to do this", gitsink.ErrAuth},
	{"soft-serve", bySSH, "Error: too many connections", gitsink.ErrUnavailable},

	{"GitLab", bySSH, "ERROR: Your account has been deactivated by your administrator.", gitsink.ErrAuth},
	{"GitLab", bySSH, "ERROR: Your SSH key has expired.", gitsink.ErrAuth},
	{"GitLab", byPush, "pre-receive hook declined\nGitLab: Commit must be signed with a GPG key", gitsink.ErrRejected},

	{"Gerrit", bySSH, "fatal: project not found: app", gitsink.ErrNotFound},
	{"Gerrit", byPush, "commit 7fd1a60: missing Change-Id in message footer", gitsink.ErrRejected},
	{"Gerrit", byPush, "prohibited by Gerrit: not permitted: update", gitsink.ErrProtected},

	{"GitLab", bySSH, "remote: A repository for this project does not exist yet.", gitsink.ErrNotFound},
	{"GitLab", bySSH, "remote: Your account is pending approval from your GitLab administrator and hence blocked.", gitsink.ErrAuth},
	{"GitLab", bySSH, "remote: You (@bot) must accept the Terms of Service in order to perform this action.", gitsink.ErrAuth},
	{"GitLab", bySSH, "remote: OTP verification is required to access the repository.", gitsink.ErrAuth},
	{"GitLab", http.StatusForbidden, "Your password expired. Please access GitLab from a web browser to update your password.", gitsink.ErrAuth},
	{"GitLab", http.StatusForbidden, "You are not allowed to download code from this project.", gitsink.ErrAuth},
	{"Bitbucket", byPush, "pre-receive hook declined\n[ALERT] Your push failed because the account 'team' has exceeded its user limit and this repository is restricted to read-only access.", gitsink.ErrProtected},
	{"Azure DevOps", bySSH, "remote: Public key authentication failed.", gitsink.ErrAuth},
	{"Azure DevOps", bySSH, "VS403463: The conditional access policy defined by your Microsoft Entra administrator has failed.", gitsink.ErrAuth},
	{"Gerrit", byPush, "ERROR:  committer email address bot@example.com\nERROR:  does not match your user account.", gitsink.ErrRejected},
	{"Gerrit", byPush, "failed to lock", gitsink.ErrUnavailable},
	{"Gerrit", byPush, "prohibited by Gerrit: project state does not permit write", gitsink.ErrProtected},
	{"any", http.StatusForbidden, "Too Many Requests", gitsink.ErrUnavailable},

	{"git", byPush, "unpacker error: index-pack abnormal exit\nfatal: pack exceeds maximum allowed size", gitsink.ErrTooLarge},
	{"git", byPush, "unpacker error: unpack-objects abnormal exit\nfatal: fsck error in packed object: hasDotgit", gitsink.ErrRejected},
	{"git", byPush, "pre-receive hook declined\nno Mondays", gitsink.ErrRejected},
	{"git", byPush, "hook declined", gitsink.ErrRejected},
	{"git", byPush, "deny updating a hidden ref", gitsink.ErrRejected},
	{"git", byPush, "failed to update ref", gitsink.ErrUnavailable},
	{"git", byPush, "cannot lock ref 'refs/heads/main': Unable to create 'refs/heads/main.lock': File exists.", gitsink.ErrUnavailable},
	{"git", byPush, "unpacker error: unpack-objects abnormal exit\nfatal: write error: No space left on device", gitsink.ErrUnavailable},
	{"git", byPush, "unpacker error: unpack-objects abnormal exit\nfatal: unable to write loose object file: Disk quota exceeded", gitsink.ErrUnavailable},
	{"git", byPush, "unpacker error: unable to create temporary object directory", gitsink.ErrUnavailable},
	{"git", byPush, "unpacker error: index-pack abnormal exit\nfatal: unable to create temporary file: Read-only file system", gitsink.ErrUnavailable},
	{"git", byPush, "unpacker error: index-pack abnormal exit\nfatal: cannot pread pack file: Input/output error", gitsink.ErrUnavailable},
	{"git", byPush, "unpacker error: unpack-objects abnormal exit\nerror: cannot create standard input pipe: Too many open files", gitsink.ErrUnavailable},
	{"git", byPush, "unpacker error: index-pack abnormal exit\nfatal: mmap failed: Cannot allocate memory", gitsink.ErrUnavailable},
	{"git", byPush, "unpacker error: unpack-objects abnormal exit\nfatal: Out of memory, malloc failed (tried to allocate 1048577 bytes)", gitsink.ErrUnavailable},
	{"git", byPush, "unpacker error: index-pack fork failed", gitsink.ErrUnavailable},
	{"git", byPush, "unpacker error: index-pack died of signal 9", gitsink.ErrUnavailable},
	{"git", bySSH, "fatal: 'app' does not appear to be a git repository", gitsink.ErrNotFound},
	{"git daemon", bySSH, "ERR access denied or repository not exported: /app", gitsink.ErrNotFound},
	{"git", bySSH, "fatal: detected dubious ownership in repository at '/srv/app.git'", gitsink.ErrAuth},
	{"git daemon", bySSH, "ERR no such repository: /app", gitsink.ErrNotFound},
}

// Whatever was known once, of one phase and transport, is known in all of them.
func TestWordsMeanTheSameInEveryPhaseAndTransport(t *testing.T) {
	t.Parallel()
	for _, w := range hostWords {
		lines := strings.SplitN(w.words, "\n", 2)
		for phase, got := range map[string]error{
			"in the report of a push": classOfRefusal(w.words),
			"beside the report":       classOfRefusal("pre-receive hook declined\n" + w.words),
			"with colours":            classOfRefusal(quote.Words("\x1b[31m" + w.words + "\x1b[0m")),
			"by SSH or a process":     only1(t, classify(&smart.RemoteError{Err: fmt.Errorf("%w: %w", smart.ErrRefused, io.EOF), Words: w.words})),
			"in an ERR line":          only1(t, classify(errLine(t, lines[len(lines)-1], w.words))),
			"HTTP 401":                only1(t, classify(&smart.RemoteError{Err: &smart.StatusError{Status: http.StatusUnauthorized}, Words: w.words})),
			"HTTP 403":                only1(t, classify(&smart.RemoteError{Err: &smart.StatusError{Status: http.StatusForbidden}, Words: w.words})),
			"HTTP 400":                only1(t, classify(&smart.RemoteError{Err: &smart.StatusError{Status: http.StatusBadRequest}, Words: w.words})),
		} {
			require.Equal(t, w.class, got, "%s, %s: %s", w.host, phase, w.words)
		}
		if w.by >= http.StatusBadRequest {
			err := &smart.RemoteError{Err: &smart.StatusError{Status: w.by}, Words: w.words}
			require.Equal(t, []error{w.class}, classify(err), "%s, HTTP %d: %s", w.host, w.by, w.words)
			require.True(t, surelyRefused(err))
		}
	}
}

func only1(t *testing.T, classes []error) error {
	t.Helper()
	require.Len(t, classes, 1)
	return classes[0]
}

// errLine is how words arrive in an ERR line of any phase. It holds one line; where that alone
// says nothing, all of them.
func errLine(t *testing.T, line, all string) error {
	t.Helper()
	if find(serverPhrases, line) == nil {
		line = all
	}
	packet := fmt.Sprintf("%04xERR %s", len(line)+8, line)
	_, err := smart.Begin(t.Context(), answered{strings.NewReader(packet)}, "refs/heads/main")
	require.Error(t, err)
	return err
}

func TestARefusalOfUnknownWordsIsNoServerThatCannotBeReached(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"ERR":       errLine(t, "the moon is full", ""),
		"by SSH":    &smart.RemoteError{Err: fmt.Errorf("%w: %w", smart.ErrRefused, io.EOF), Words: "the moon is full"},
		"exit code": fmt.Errorf("%w: %w", smart.ErrRefused, io.ErrUnexpectedEOF),
		"HTTP 400":  &smart.RemoteError{Err: &smart.StatusError{Status: http.StatusBadRequest}, Words: "the moon is full"},
		"HTTP 451":  &smart.StatusError{Status: http.StatusUnavailableForLegalReasons},
	} {
		classes := classify(err)
		require.Equal(t, []error{gitsink.ErrRefused}, classes, name)
		e := &gitsink.Error{Err: &failure{"", classes}}
		require.NotErrorIs(t, e, queue.ErrPermanent, "it is tried again")
		require.NotErrorIs(t, e, gitsink.ErrUnavailable)
	}
	require.Equal(t, []error{gitsink.ErrUnavailable}, classify(io.ErrUnexpectedEOF))
	require.Equal(t, []error{gitsink.ErrUnavailable}, classify(&smart.StatusError{Status: http.StatusRequestTimeout}))
	require.Equal(t, []error{gitsink.ErrProtocol}, classify(&smart.StatusError{Status: http.StatusNoContent}))
}

// Each phrase on the page has words behind it, and each of the words a phrase.
func TestThePageOfServerWordsIsTheTable(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/server-words.md")
	require.NoError(t, err)
	classes := map[string]error{
		"ErrAuth": gitsink.ErrAuth, "ErrProtected": gitsink.ErrProtected, "ErrRejected": gitsink.ErrRejected, "ErrNotFound": gitsink.ErrNotFound,
		"ErrTooLarge": gitsink.ErrTooLarge, "ErrUnavailable": gitsink.ErrUnavailable, "ErrRefused": gitsink.ErrRefused,
	}
	quoted := regexp.MustCompile("`([^`]+)`")
	told := make([]bool, len(hostWords))
	rows := 0
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(line, "|")
		if len(cells) < 5 || classes[strings.TrimSpace(cells[3])] == nil {
			continue
		}
		rows++
		phrases := quoted.FindAllStringSubmatch(cells[2], -1)
		require.NotEmpty(t, phrases, line)
		for _, phrase := range phrases {
			found := false
			for i, w := range hostWords {
				if w.host == strings.TrimSpace(cells[1]) && errors.Is(w.class, classes[strings.TrimSpace(cells[3])]) &&
					strings.Contains(strings.ToLower(w.words), strings.ToLower(phrase[1])) {
					found, told[i] = true, true
				}
			}
			require.True(t, found, "the page has %q, of which the test knows nothing", phrase[1])
		}
	}
	require.Greater(t, rows, 30)
	for i, w := range hostWords {
		require.True(t, told[i], "the page does not tell: %s, %s", w.host, w.words)
	}
}

// Nothing is in the table that nobody has seen.
func TestEachPhraseOfAServerIsOfWordsThatWereSeen(t *testing.T) {
	t.Parallel()
	for _, p := range serverPhrases {
		require.True(t, slices.ContainsFunc(hostWords, func(w hostWord) bool { return strings.Contains(strings.ToLower(w.words), p.words) }), "%q is in no words: say where it was seen, or drop it", p.words)
	}
}
