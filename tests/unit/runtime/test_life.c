/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_life.c - containers from create to delete, with the real crun and shim */

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/str.h"
#include "living.h"
#include "runtime/cgroup.h"
#include "tap.h"

#define LOG BOX "/log"

static bool left(const char *folder, const char *id)
{
	auto_free char *path = str_printf(BOX "/exec/%s/%s", folder, id);

	return path && fs_exists(path);
}

static bool cgroup_left(const char *id)
{
	auto_free char *path = str_printf("/sys/fs/cgroup/%s%s/%s",
					  cgroup_layout() == CGROUP_V2 ? "" : "pids", BOX_PARENT,
					  id);

	return path && fs_exists(path);
}

static void test_whole_life(void)
{
	struct rt_create how = {.log.path = LOG};
	auto_buf struct buf log = BUF_INIT(4096);
	struct life l;
	struct rt_spec s;

	life_init(&l);
	s = life_spec(&l, sh("echo hi; echo no >&2; exit 3"));
	ok(life_create(&l, &s, &how), "created");
	ok(l.pid > 1 && kill(l.pid, 0) == 0, "its process is there");
	ok(life_attach(&l), "attached");
	settle(50);
	is_int(l.heard.out.len, 0, "it does not run yet");
	is_int(l.exits, 0, "and lives");
	ok(life_start(&l), "started");
	ok(until(&l.exits, 1) && until(&l.heard.closed, 1), "it ends");
	is_str(buf_str(&l.heard.out), "hi\n", "its output");
	is_str(buf_str(&l.heard.err), "no\n", "its errors");
	is_int(l.exit_code, 3, "its exit code");
	ok(!l.oom && l.finished_ns > clock_real_ns() - 5 * NS_PER_S, "not for memory, just now");
	is_int(rt_signal(rt, l.id, SIGTERM), -ESRCH, "nothing to signal any more");
	ok(fs_read(LOG, 4095, &log) >= 0 && strstr(buf_str(&log), " stdout F hi\n") &&
		   strstr(buf_str(&log), " stderr F no\n"),
	   "both are in the log");
	ok(life_delete(&l), "deleted");
	ok(!left("run", l.id) && !left("exits", l.id) && !left("crun", l.id) && !cgroup_left(l.id),
	   "without a trace");
	settle(50);
	ok(l.made == 1 && l.started == 1 && l.exits == 1 && l.heard.closed == 1 && l.deleted == 1,
	   "all was told once");
	ok(waitpid(-1, NULL, WNOHANG) < 0, "no child is left");
	life_done(&l);
}

static void refused(char *const *args, const char *text)
{
	struct life l;
	struct rt_spec s;

	life_init(&l);
	s = life_spec(&l, args);
	ok(!life_create(&l, &s, NULL), "refused");
	is_err(l.made_code, l.e, ERR_INVALID, text);
	ok(life_delete(&l) && !left("run", l.id) && !cgroup_left(l.id), "and cleaned up");
	is_int(l.exits, 0, "a process that never was has no exit");
	life_done(&l);
}

static void test_refusals(void)
{
	char *const none[] = {(char *)"nosuch", NULL}, *const bare[] = {(char *)"/etc/passwd",
									NULL};
	struct rt_create how = {.log.path = BOX "/no/such/folder/log"};
	char *const bytes[] = {(char *)"\xff\xfe", NULL};
	struct life l;
	struct rt_spec s;

	refused(none,
		"failed to create task for container: failed to create shim task: OCI runtime "
		"create failed: crun: exec: \"nosuch\": executable file not found in $PATH: "
		"unknown");
	refused(bare,
		"failed to create task for container: failed to create shim task: OCI runtime "
		"create failed: crun: open executable: permission denied: unknown");
	life_init(&l);
	s = life_spec(&l, bytes);
	ok(!life_create(&l, &s, NULL) && strstr(l.e.msg, "not found"), "bytes that are no text");
	ok(life_delete(&l), "deleted");
	life_done(&l);
	life_init(&l);
	s = life_spec(&l, sh("true"));
	ok(!life_create(&l, &s, &how), "no place for the log");
	if (!ok(strstr(l.e.msg, "failed to initialize logging driver: open ") != NULL,
		"the shim says why"))
		printf("# %s\n", l.e.msg);
	ok(life_delete(&l), "deleted");
	life_done(&l);
}

static void test_signals(void)
{
	struct life l;
	struct rt_spec s;

	life_init(&l);
	s = life_spec(&l,
		      sh("trap 'echo got; exit 5' TERM; echo up; while :; do sleep 0.01; done"));
	ok(life_create(&l, &s, NULL) && life_attach(&l) && life_start(&l), "runs");
	while (!l.heard.out.len && loop_run_once(loop, 100) >= 0)
		;
	is_int(rt_signal(rt, l.id, SIGTERM), 0, "signalled");
	ok(until(&l.exits, 1) && until(&l.heard.closed, 1), "it ends");
	is_int(l.exit_code, 5, "by its own handler");
	is_str(buf_str(&l.heard.out), "up\ngot\n", "which spoke last");
	ok(life_delete(&l), "deleted");
	life_done(&l);

	life_init(&l);
	s = life_spec(&l, sh("sleep 1000 & sleep 1000"));
	ok(life_create(&l, &s, NULL) && life_start(&l), "runs");
	is_int(rt_kill_all(rt, l.id), 0, "all of the cgroup is killed");
	ok(until(&l.exits, 1) && l.exit_code == 137, "137");
	ok(life_delete(&l), "deleted");
	life_done(&l);
}

/* A running, and one that was never started. */
static void test_forced_delete(void)
{
	struct life l[2];

	for (int i = 0; i < 2; i++) {
		struct rt_spec s;

		life_init(&l[i]);
		s = life_spec(&l[i], sh("sleep 1000"));
		ok(life_create(&l[i], &s, NULL) && (i || life_start(&l[i])), "made");
		ok(life_delete(&l[i]), "deleted as it is");
		ok(l[i].exits == 1 && !l[i].exit_after_delete && l[i].exit_code == 137,
		   "its exit was told before");
		settle(50);
		ok(!left("run", l[i].id) && !left("exits", l[i].id) && !cgroup_left(l[i].id),
		   "and nothing comes after it");
		is_int(l[i].exits, 1, "no second exit");
		life_done(&l[i]);
	}
}

static void test_shim_dies(void)
{
	struct life l;
	struct rt_spec s;
	int64_t t0;

	life_init(&l);
	s = life_spec(&l, sh("sleep 1000"));
	ok(life_create(&l, &s, NULL) && life_attach(&l) && life_start(&l), "runs");
	ok(kill(shim_of(&l), SIGKILL) == 0, "the shim is killed");
	ok(until(&l.heard.closed, 1), "the attach ends");
	is_int(l.exits, 0, "the container lives on");
	is_int(rt_signal(rt, l.id, SIGKILL), 0, "and can be killed");
	t0 = clock_mono_ns();
	ok(until(&l.exits, 1), "its end is told");
	is_int(l.exit_code, 255, "with the unknown code");
	ok(clock_mono_ns() - t0 > 900 * NS_PER_MS, "after a second's patience");
	ok(life_delete(&l), "deleted");
	life_done(&l);
}

/* A shim that is only slow is waited for, with its code; but a delete does not wait for ever. */
static void test_shim_hangs(void)
{
	struct life l;
	struct rt_spec s;
	pid_t shim;

	life_init(&l);
	s = life_spec(&l, sh("sleep 1000"));
	ok(life_create(&l, &s, NULL) && life_start(&l), "runs");
	shim = shim_of(&l);
	ok(shim > 1 && kill(shim, SIGSTOP) == 0, "the shim is stopped");
	is_int(rt_signal(rt, l.id, SIGKILL), 0, "the container is killed");
	settle(1200);
	is_int(l.exits, 0, "while the shim lives no code is made up");
	ok(kill(shim, SIGCONT) == 0 && until(&l.exits, 1), "it goes on");
	is_int(l.exit_code, 137, "and tells the code");
	ok(life_delete(&l), "deleted");
	life_done(&l);

	life_init(&l);
	s = life_spec(&l, sh("sleep 1000"));
	ok(life_create(&l, &s, NULL) && life_start(&l), "runs");
	shim = shim_of(&l);
	ok(shim > 1 && kill(shim, SIGSTOP) == 0, "the shim is stopped");
	ok(life_delete(&l), "deleted all the same");
	ok(kill(shim, 0) < 0, "and the shim is gone by then");
	ok(l.exits == 1 && !l.exit_after_delete && l.exit_code == 137, "the exit was told");
	ok(!left("run", l.id) && !left("crun", l.id) && !cgroup_left(l.id), "nothing is left");
	life_done(&l);
}

/* The second of two has the first one's compiled filter, an exec in it as well. */
static void test_filter(void)
{
	static const char script[] = "grep Seccomp: /proc/self/status; mount -t tmpfs x /proc "
				     "2>/dev/null || echo denied; unshare -U true || echo denied";
	auto_free char *config = NULL, *bpf = NULL;
	auto_buf struct buf text = BUF_INIT(1 << 20), first = BUF_INIT(1 << 16),
			    second = BUF_INIT(1 << 16);
	char said[2][256];
	struct life l;
	struct rt_spec s;

	for (int i = 0; i < 2; i++) {
		life_init(&l);
		s = life_spec(&l, sh(script));
		/* another profile than the tests before had */
		s.seccomp =
			"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"mount\","
			"\"unshare\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":1}]}";
		ok(life_create(&l, &s, NULL) && life_attach(&l), "made");
		config = rt_path(rt, l.id, NULL, "config.json");
		bpf = str_printf("%s/%s/seccomp.bpf", rt->root, l.id);
		ok(fs_read(bpf, 65535, i ? &second : &first) >= 0, "its filter");
		buf_clear(&text);
		ok(fs_read(config, 1 << 19, &text) >= 0 &&
			   (strstr(buf_str(&text), "seccomp_bpf_data") != NULL) == (i == 1),
		   "%s", i ? "given as compiled" : "to be compiled");
		ok(life_start(&l) && until(&l.exits, 1) && until(&l.heard.closed, 1), "runs");
		(void)snprintf(said[i], sizeof(said[i]), "%s%s", buf_str(&l.heard.out),
			       buf_str(&l.heard.err));
		ok(life_delete(&l), "deleted");
		life_done(&l);
		free(config);
		free(bpf);
		config = bpf = NULL;
	}
	ok(first.len && first.len == second.len && !memcmp(first.data, second.data, first.len),
	   "the very same filter");
	ok(strstr(said[0], "Seccomp:\t2\ndenied\n") && streq(said[0], said[1]),
	   "and the same effect");
}

static void test_oom(void)
{
	struct life l;
	struct rt_spec s;

	life_init(&l);
	s = life_spec(&l, sh("tail /dev/zero"));
	s.memory = s.memory_swap = 16 << 20;
	s.cgroup_parent = BOX_PARENT "/elsewhere";
	ok(life_create(&l, &s, NULL) && life_start(&l) && until(&l.exits, 1), "it eats its memory");
	ok(l.oom && l.exit_code == 137, "killed for memory, in a cgroup of another parent");
	ok(life_delete(&l), "deleted");
	life_done(&l);
}

/* The life lock is not the shim's. */
static void test_lock(void)
{
	struct life l;
	struct rt_spec s;
	char dir[64], to[256];
	int held = 0, seen = 0;
	struct dirent *de;
	DIR *d;

	life_init(&l);
	s = life_spec(&l, sh("sleep 1000"));
	ok(life_create(&l, &s, NULL) && life_start(&l), "runs");
	(void)snprintf(dir, sizeof(dir), "/proc/%d/fd", shim_of(&l));
	d = opendir(dir);
	while (d && (de = readdir(d))) {
		ssize_t n = readlinkat(dirfd(d), de->d_name, to, sizeof(to) - 1);

		to[n > 0 ? n : 0] = '\0';
		held += streq(to, LIVING_LOCK);
		seen += n > 0;
	}
	if (d)
		(void)closedir(d);
	ok(seen > 3 && held == 0, "the shim does not hold the life lock");
	is_int(getsid(shim_of(&l)), shim_of(&l), "and is in a session of its own");
	ok(life_delete(&l), "deleted");
	life_done(&l);
}

static bool known(const char *id, void *data)
{
	return streq(id, ((struct life *)data)->id);
}

static void test_next_life(void)
{
	int pid = 0, code = 0;
	struct life run, made, ended, lost;
	struct life *all[] = {&run, &made, &ended, &lost};
	int64_t ns = 0;

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		struct rt_spec s;

		life_init(all[i]);
		s = life_spec(all[i], sh(all[i] == &ended ? "exit 9" : "sleep 1000"));
		ok(life_create(all[i], &s, NULL) && (all[i] == &made || life_start(all[i])),
		   "one of the last life");
	}
	ok(until(&ended.exits, 1), "one ends");
	living_runtime();
	is_int(rt_adopt(rt, run.id, 0, &pid, &code, &ns), 1, "one runs");
	is_int(pid, run.pid, "the same process");
	is_int(rt_adopt(rt, made.id, made.pid, &pid, &code, &ns), 2, "one was not started");
	is_int(rt_adopt(rt, ended.id, ended.pid, &pid, &code, &ns), 0, "one is gone");
	ok(code == 9 && ns > 0, "with its exit code");
	is_int(rt_adopt(rt, "00", getpid(), &pid, &code, &ns), 0, "a foreign pid is not believed");
	ok(life_attach(&run), "the running one can be attached to");
	is_int(rt_signal(rt, run.id, SIGKILL), 0, "and killed");
	ok(until(&run.exits, 1) && run.exit_code == 137, "its exit is told");
	ok(until(&run.heard.closed, 1), "and the end of its output");
	ok(life_delete(&run) && life_delete(&made) && made.exits == 1, "both are deleted");
	ok(life_delete(&ended), "the gone one as well");
	settle(50);
	is_int(run.exits, 1, "its exit was told once");
	pid = shim_of(&lost);
	is_int(rt_sweep(rt, known, &run), 0, "what nobody knows is swept");
	while (waitpid(-1, NULL, WNOHANG) > 0)
		; /* the last life's children are still ours */
	ok(!left("run", lost.id) && !left("crun", lost.id) && !cgroup_left(lost.id) && pid > 1 &&
		   kill(pid, 0) < 0,
	   "with its shim");
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		life_done(all[i]);
}

/* The engine died while the shim was at work: the next life's delete ends that first. */
static void test_half_made(void)
{
	struct life l;
	struct rt_spec s;
	struct rt_create c = {.id = l.id};

	for (int wait = 0; wait < 4; wait++) {
		life_init(&l);
		s = life_spec(&l, sh("sleep 1000"));
		ok(rt_spec_write(rt, &s, NULL) >= 0 &&
			   rt_create(rt, &c, (void (*)(int, const struct err *, void *))abort, NULL,
				     NULL) >= 0,
		   "a create that is cut off");
		(void)poll(NULL, 0, wait * 3);
		living_runtime();
		ok(life_delete(&l), "deleted by the next life");
		(void)poll(NULL, 0, 20);
		ok(!left("run", l.id) && !left("crun", l.id) && !cgroup_left(l.id), "all of it");
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		life_done(&l);
	}
}

int main(void)
{
	const char *why = living_open();

	if (why)
		return tap_skip_all(why);
	test_whole_life();
	test_refusals();
	test_signals();
	test_forced_delete();
	test_shim_dies();
	test_shim_hangs();
	test_filter();
	test_oom();
	test_lock();
	test_next_life();
	test_half_made();
	living_close();
	return tap_done();
}
