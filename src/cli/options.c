/* SPDX-License-Identifier: GPL-2.0-or-later */
/* options.c - the options of run and create */

#include "cli/create.h"
#include "cli/envfile.h"
#include "cli/pairs.h"

static int check_sysctl(const char *value, struct err *e)
{
	return check_pair(value, NULL) < 0 ? err_invalid(e, "sysctl '%s' is not allowed", value)
					   : 0;
}

static int check_pull(const char *value, struct err *e)
{
	if (streq(value, "always") || streq(value, "missing") || streq(value, "never"))
		return 0;
	return err_invalid(e,
			   "invalid pull option: '%s': must be one of \"always\", \"missing\" "
			   "or \"never\"",
			   value);
}

const struct opt create_options[CREATE_OPTIONS] = {
	OPT_LIST_CHECK(0, "add-host", "list", check_host_entry,
		       "Add a custom host-to-IP mapping (host:ip)"),
	OPT_LIST_CHECK(0, "annotation", "map", check_pair,
		       "Add an annotation to the container (passed through to the OCI runtime)"),
	OPT_LIST_CHECK('a', "attach", "list", check_attach, "Attach to STDIN, STDOUT or STDERR"),
	OPT_LIST(0, "cap-add", "list", "Add Linux capabilities"),
	OPT_LIST(0, "cap-drop", "list", "Drop Linux capabilities"),
	OPT_VALUE(0, "cgroup-parent", "string", "Optional parent cgroup for the container"),
	OPT_VALUE(0, "cgroupns", "string", "Cgroup namespace to use (host|private)"),
	OPT_VALUE(0, "cidfile", "string", "Write the container ID to the file"),
	OPT_CHECK(0, "cpu-period", "int", check_int,
		  "Limit CPU CFS (Completely Fair Scheduler) period"),
	OPT_CHECK(0, "cpu-quota", "int", check_int,
		  "Limit CPU CFS (Completely Fair Scheduler) quota"),
	OPT_CHECK('c', "cpu-shares", "int", check_int, "CPU shares (relative weight)"),
	OPT_CHECK(0, "cpus", "decimal", check_cpus, "Number of CPUs"),
	OPT_VALUE(0, "cpuset-cpus", "string", "CPUs in which to allow execution (0-3, 0,1)"),
	OPT_VALUE(0, "cpuset-mems", "string", "MEMs in which to allow execution (0-3, 0,1)"),
	OPT_LIST_CHECK(0, "device", "list", check_device, "Add a host device to the container"),
	OPT_LIST(0, "dns", "list", "Set custom DNS servers"),
	OPT_SAME("dns-opt", "list", "dns-option"),
	OPT_LIST(0, "dns-option", "list", "Set DNS options"),
	OPT_LIST(0, "dns-search", "list", "Set custom DNS search domains"),
	OPT_VALUE(0, "domainname", "string", "Container NIS domain name"),
	OPT_VALUE(0, "entrypoint", "string", "Overwrite the default ENTRYPOINT of the image"),
	OPT_LIST_CHECK('e', "env", "list", check_env, "Set environment variables"),
	OPT_LIST(0, "env-file", "list", "Read in a file of environment variables"),
	OPT_LIST(0, "expose", "list", "Expose a port or a range of ports"),
	OPT_LIST(0, "group-add", "list", "Add additional groups to join"),
	OPT_VALUE('h', "hostname", "string", "Container host name"),
	OPT_SWITCH(0, "init",
		   "Run an init inside the container that forwards signals and reaps processes"),
	OPT_SWITCH('i', "interactive", "Keep STDIN open even if not attached"),
	OPT_VALUE(0, "ip", "string", "IPv4 address (e.g., 172.30.100.104)"),
	OPT_VALUE(0, "ip6", "string", "IPv6 address (e.g., 2001:db8::33)"),
	OPT_VALUE(0, "ipc", "string", "IPC mode to use"),
	OPT_LIST('l', "label", "list", "Set meta data on a container"),
	OPT_LIST(0, "label-file", "list", "Read in a line delimited file of labels"),
	OPT_LIST(0, "link", "list", "Add link to another container"),
	OPT_LIST(0, "link-local-ip", "list", "Container IPv4/IPv6 link-local addresses"),
	OPT_VALUE(0, "log-driver", "string", "Logging driver for the container"),
	OPT_LIST_CHECK(0, "log-opt", "list", check_pair, "Log driver options"),
	OPT_VALUE(0, "mac-address", "string", "Container MAC address (e.g., 92:d0:c6:0a:29:33)"),
	OPT_CHECK('m', "memory", "bytes", check_bytes, "Memory limit"),
	OPT_CHECK(0, "memory-reservation", "bytes", check_bytes, "Memory soft limit"),
	OPT_CHECK(0, "memory-swap", "bytes", check_swap,
		  "Swap limit equal to memory plus swap: '-1' to enable unlimited swap"),
	OPT_LIST_CHECK(0, "mount", "mount", check_mount,
		       "Attach a filesystem mount to the container"),
	OPT_VALUE(0, "name", "string", "Assign a name to the container"),
	OPT_SAME("net", "network", "network"),
	OPT_SAME("net-alias", "list", "network-alias"),
	OPT_LIST_CHECK(0, "network", "network", check_network,
		       "Connect a container to a network (a name, or "
		       "name=...,alias=...,ip=...,mac-address=...)"),
	OPT_LIST(0, "network-alias", "list", "Add network-scoped alias for the container"),
	OPT_SWITCH(0, "oom-kill-disable", "Disable OOM Killer"),
	OPT_CHECK(0, "oom-score-adj", "int", check_int,
		  "Tune host's OOM preferences (-1000 to 1000)"),
	OPT_VALUE(0, "pid", "string", "PID namespace to use"),
	OPT_CHECK(0, "pids-limit", "int", check_int,
		  "Tune container pids limit (set -1 for unlimited)"),
	OPT_VALUE(0, "platform", "string", NULL),
	OPT_SWITCH(0, "privileged", "Give extended privileges to this container"),
	OPT_LIST('p', "publish", "list", "Publish a container's port(s) to the host"),
	OPT_SWITCH('P', "publish-all", "Publish all exposed ports to random ports"),
	{.name = "pull",
	 .type = "string",
	 .preset = "missing",
	 .check = check_pull,
	 .help = "Pull image before running (\"always\", \"missing\", \"never\")"},
	OPT_SWITCH('q', "quiet", "Suppress the pull output"),
	OPT_SWITCH(0, "read-only", "Mount the container's root filesystem as read only"),
	OPT_PRESET(0, "restart", "string", "no", "Restart policy to apply when a container exits"),
	OPT_SWITCH(0, "rm",
		   "Automatically remove the container and its anonymous volumes when it exits"),
	OPT_VALUE(0, "runtime", "string", "Runtime to use for this container"),
	OPT_LIST(0, "security-opt", "list", "Security Options"),
	OPT_CHECK(0, "shm-size", "bytes", check_bytes, "Size of /dev/shm"),
	OPT_VALUE(0, "stop-signal", "string", "Signal to stop the container"),
	OPT_CHECK(0, "stop-timeout", "int", check_int, "Timeout (in seconds) to stop a container"),
	OPT_LIST_CHECK(0, "sysctl", "map", check_sysctl, "Sysctl options"),
	OPT_LIST(0, "tmpfs", "list", "Mount a tmpfs directory"),
	OPT_SWITCH('t', "tty", "Allocate a pseudo-TTY"),
	OPT_LIST_CHECK(0, "ulimit", "ulimit", check_ulimit, "Ulimit options"),
	OPT_VALUE('u', "user", "string", "Username or UID (format: <name|uid>[:<group|gid>])"),
	OPT_VALUE(0, "userns", "string", "User namespace to use"),
	OPT_VALUE(0, "uts", "string", "UTS namespace to use"),
	OPT_LIST('v', "volume", "list", "Bind mount a volume"),
	OPT_LIST(0, "volumes-from", "list", "Mount volumes from the specified container(s)"),
	OPT_VALUE('w', "workdir", "string", "Working directory inside the container"),
};
