/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_recover.c - locks between lives, rows that come back, who is restarted */

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/str.h"
#include "engine/locks.h"
#include "tap.h"
#include "world.h"

static struct world w;

static void one_engine(void)
{
	auto_free char *want = str_printf(
		"the data root %s is already in use by another engine (pid %d)", w.dir, getpid());
	struct err e = {0};
	int first = lock_folder(w.dir, "data root", &e), second;

	ok(first >= 0, "the first engine takes the folder (%s)", e.msg);
	second = lock_folder(w.dir, "data root", &e);
	is_err(second, e, ERR_CONFLICT, want);
	(void)fd_close(first);
	second = lock_folder(w.dir, "data root", &e);
	ok(second >= 0, "free again with its end");
	(void)fd_close(second);
	ok(lock_folder("/nonexistent", "data root", &e) < 0, "no folder: %s", e.msg);
}

static void children_of_the_last_life(void)
{
	struct err e = {0};
	int fd = lock_life(w.dir, 0, &e), go[2];
	int64_t start;
	pid_t child;

	ok(fd >= 0 && pipe(go) == 0, "a life (%s)", e.msg);
	child = fork();
	if (child == 0) { /* holds what it inherited until it is told to go */
		char c;

		(void)close(go[1]);
		_exit(read(go[0], &c, 1) < 0);
	}
	(void)close(go[0]);
	(void)fd_close(fd); /* the engine dies */
	start = clock_mono_ns();
	fd = lock_life(w.dir, 100, &e);
	ok(fd < 0 && e.kind == ERR_CONFLICT && strstr(e.msg, "still at work"),
	   "not before its child is gone: %s", e.msg);
	ok(clock_mono_ns() - start >= 100 * NS_PER_MS, "and it was waited for");
	(void)close(go[1]);
	fd = lock_life(w.dir, 10000, &e);
	ok(fd >= 0, "then at once");
	(void)fd_close(fd);
	(void)waitpid(child, NULL, 0);
}

static int load(const struct container_row *row, void *data)
{
	return container_load(&w.en, row, data, NULL);
}

static void a_row_comes_back(void)
{
	struct container *c = world_container(&w, "saved", "{\"Hostname\": \"h\"}",
					      "{\"NetworkMode\": \"bridge\"}");
	struct container *back = NULL;
	struct err e = {0};

	c->wanted = json_of("{\"b\": null, \"a\": {\"Aliases\": [\"x\"]}}");
	c->mounts = json_of("[{\"Type\": \"volume\"}]");
	c->created_ns = 77;
	c->starting = true;
	c->remove_volumes = true;
	c->st = (struct container_state){.status = CONTAINER_EXITED,
					 .pid = 5,
					 .exit_code = 137,
					 .oom_killed = true,
					 .started_ns = 123456789012345678,
					 .finished_ns = 2,
					 .restart_count = 4,
					 .manual_stop = true};
	is_int(str_set(&c->st.error, "why \"not\""), 0, "an error text");
	is_int(container_save(c, &e), 0, "saved (%s)", e.msg);
	is_int(container_each(w.en.db, load, &back, &e), 0, "loaded (%s)", e.msg);
	ok(back && streq(back->id, c->id) && streq(back->name, "saved"), "id and name");
	ok(json_equal(back->config, c->config) && json_equal(back->host_config, c->host_config) &&
		   json_equal(back->mounts, c->mounts) && json_equal(back->wanted, c->wanted),
	   "what was asked");
	ok(back->starting && back->remove_volumes && back->st.manual_stop && back->st.oom_killed,
	   "marks");
	is_int(back->st.started_ns, 123456789012345678, "times to the nanosecond");
	is_int(back->st.exit_code, 137, "exit code");
	is_int(back->st.restart_count, 4, "restarts");
	is_str(back->st.error, "why \"not\"", "error");
	container_free(back);
	c->st.status = CONTAINER_REMOVING;
	is_int(container_save_state(c, &e), 0, "the state alone");
	is_int(container_each(w.en.db, load, &back, &e), 0, "loaded");
	is_int(back->st.status, CONTAINER_REMOVING, "is in the row");
	container_free(back);
}

static void restarts(void)
{
	static const struct {
		const char *policy;
		int64_t max;
		int code, count;
		bool manual, boot, started, want;
	} rows[] = {
		{"no", 0, 1, 0, false, false, true, false},
		{"always", 0, 0, 0, false, false, true, true},
		{"always", 0, 0, 0, true, false, true, false},
		{"always", 0, 0, 0, true, true, true, true},	/* back with the engine */
		{"always", 0, 0, 0, false, true, false, false}, /* never started */
		{"unless-stopped", 0, 0, 0, false, true, true, true},
		{"unless-stopped", 0, 0, 0, true, true, true, false},
		{"on-failure", 0, 0, 0, false, false, true, false},
		{"on-failure", 0, 3, 9, false, false, true, true},
		{"on-failure", 3, 3, 2, false, false, true, true},
		{"on-failure", 3, 3, 3, false, false, true, false},
		{"on-failure", 0, 137, 0, true, true, true, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_free char *host =
			str_printf("{\"RestartPolicy\": {\"Name\": \"%s\", \"MaximumRetryCount\": "
				   "%d}}",
				   rows[i].policy, (int)rows[i].max);
		struct container *c = world_container(&w, "r", "{}", host);

		c->st = (struct container_state){.status = CONTAINER_EXITED,
						 .exit_code = rows[i].code,
						 .restart_count = rows[i].count,
						 .started_ns = rows[i].started,
						 .manual_stop = rows[i].manual};
		c->boot = rows[i].boot;
		is_int(should_restart(c), rows[i].want, "%s code %d manual %d boot %d",
		       rows[i].policy, rows[i].code, rows[i].manual, rows[i].boot);
		w.en.closing = true;
		ok(!should_restart(c), "never while the engine ends");
		w.en.closing = false;
		container_unlink(c);
		container_free(c);
	}
}

static void look_ups(void)
{
	struct container *a = world_container(&w, "first", "{}", "{}");
	struct container *b = world_container(&w, "second", "{}", "{}"), *found;
	struct err e = {0};

	memcpy(a->id, "aaaa1", 5); /* the maps keep the old ids: prefixes go over the list */
	memcpy(b->id, "aaaa2", 5);
	ok(engine_find(&w.en, "/first", &found, &e) >= 0 && found == a, "by name with its slash");
	ok(engine_find(&w.en, "aaaa2", &found, &e) >= 0 && found == b, "by a unique prefix");
	is_err(engine_find(&w.en, "aaaa", &found, &e), e, ERR_INVALID,
	       "Multiple IDs found with provided prefix: aaaa");
	is_err(engine_find(&w.en, "nope", &found, &e), e, ERR_NOT_FOUND, "No such container: nope");
	is_err(engine_find(&w.en, "", &found, &e), e, ERR_NOT_FOUND, "No such container: ");
}

int main(void)
{
	world_open(&w);
	one_engine();
	children_of_the_last_life();
	a_row_comes_back();
	restarts();
	look_ups();
	world_close(&w);
	return tap_done();
}
