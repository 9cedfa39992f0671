// Bench measures the library beside the git command and go-git's worktree: one run, one machine,
// one server.
//
//	go -C internal/bench run . push           # its table, and which bars are met
//	go -C internal/bench run . push -json     # one JSON object a row
//	go -C internal/bench run . push -smoke    # tiny, for CI: does every row come out?
//	go -C internal/bench run . all -smoke     # every command
//	go -C internal/bench run . queue          # beside client-go's workqueue
//	go -C internal/bench run . watch          # a large cluster, beside informers
//
// Those that push do so over HTTP to git http-backend on loopback:
//
//   - push: one file of 1 KB is changed, committed and pushed. In the case push, kubescribe's sink
//     has been used before; git and go-git have a warm clone with all files checked out and every
//     file's state in the index. In the case first the repository was never seen: kubescribe starts
//     with a new sink, git with git clone --depth 1.
//   - scope: the same for a file in a base folder that is all that the repository holds, and in one
//     of very many.
//   - branch: many destinations share a branch, and each has an event at once.
//   - hung: one event, alone and beside a repository that accepts connections and never answers,
//     whose many destinations have events, too.
//   - events: many events for destinations in many repositories, until all are pushed.
//   - watch: a cluster of very many ConfigMaps, in a process of its own, is followed: by
//     event/source with a queue whose consumer drops what it gets and by client-go's informer, and
//     by the library as a whole, whose repositories answer, hang, or hold everything already.
//
// metered is kubescribe with a MeterProvider of OpenTelemetry's SDK: in the case through of queue,
// and in the case push with -metered.
//
// Where there are events, kubescribe is the library as its users have it: queue, Runner, Writer and
// sink. Pushes are not paced, and a line is due with as many events as a round brings.
//
// What makes the numbers comparable:
//
//   - Each system is a process of its own and has a copy of the same packed repository. One round
//     of each is measured in turn, so other load on the machine hits all alike. One round more, the
//     first, warms up and is not counted.
//   - The server is another process: its time is part of the wall time of all, its CPU time and
//     memory of none.
//   - Requests, pushes, refusals and bytes on the wire (headers included) are counted by the
//     server.
//   - No Git configuration of the user or the machine applies. The server never packs by itself,
//     nor do the clones.
//   - After the last round each branch is checked: every commit is there, and the last content.
//
// CPU time is that of the process and the processes it started and waited for (getrusage(2)). Peak
// memory is the process's own high-water mark, and for git that of its largest process; Linux
// counts in what the program held that started it, so git's can be this program's own 25 to 30 MB.
// Memory above idle is the peak less that of the same program doing nothing. The server's part of
// the wall time is how long its requests took: Git's check that a push leaves nothing out takes
// longer the more files the branch has, whoever pushes. It needs Linux (/proc) and git.
//
// # Guests
//
// push -with NAME=PROGRAM measures a system that is not built into this program. PROGRAM speaks
// JSON on standard input and output. It gets a job, {"Case": "push" or "first", "URL": the
// repository}, and answers {"Wall": 0, "CPU": 0, "Peak": bytes} when it is ready. Then for each
// change, {"Path": in the branch main, "Content": base64}, which it commits and pushes, it answers
// with what that took: Wall and CPU in nanoseconds, Peak the most memory that it ever held. In the
// case first it forgets all that it knows before each change. It ends with its input.
package main
