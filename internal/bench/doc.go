// Bench measures the library beside the git command and go-git's worktree: one run, one machine, one server.
//
//	go -C internal/bench run . push           # the command push: its tables, and which bars are met
//	go -C internal/bench run . push -json     # one JSON object a row
//	go -C internal/bench run . push -smoke    # tiny, for CI: does every row come out?
//	go -C internal/bench run . all -smoke     # every command
//
// The command push measures two cases, each over HTTP against git http-backend on loopback:
//
//   - push: one file of 1 KB is changed, committed and pushed. Kubescribe's sink has been used before; git and go-git
//     have a warm clone with all files checked out and every file's state in the index.
//   - first: the same for a repository never seen. Kubescribe starts with a new sink, git with git clone --depth 1.
//
// What makes the numbers comparable:
//
//   - Each system is a process of its own and has a copy of the same packed repository. One round of each is measured in
//     turn, so other load on the machine hits all alike. One round more, the first, warms up and is not counted.
//   - The server is another process: its time is part of the wall time of all, its CPU time and memory of none.
//   - No Git configuration of the user or the machine applies. The server never packs by itself, nor do the clones.
//   - After the last round each branch is checked: every commit is there, and the last content.
//
// CPU time is that of the process and the processes it started and waited for (getrusage(2)). Peak memory is the
// process's own high-water mark, and for git that of its largest process; Linux counts in what the program held that
// started it, so git's can be this program's own 10 to 15 MB. Memory above idle is the peak less that of the same program
// doing nothing. The server's part of the wall time is how long its requests took: Git's check that a push leaves
// nothing out takes longer the more files the branch has, whoever pushes. It needs Linux (/proc) and git.
package main
