/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * routes.c - every route of the Engine API: where it is answered, and what its body is
 *
 * Literal parts stand before {parameters} that would take them. What is not there yet answers 501,
 * what belongs to a swarm 503.
 */

#include "api/internal.h"

#define ROUTE(m, p, fn, body)                                                                      \
	{                                                                                          \
		.method = (m), .pattern = (p), .handler = (void *)(fn), .flags = (body)            \
	}
#define NOT_YET(m, p) ROUTE(m, p, system_not_yet, BODY_NONE)
#define SWARM(m, p)   ROUTE(m, p, system_swarm_off, BODY_NONE)

const struct route api_routes[] = {
	/* the engine */
	ROUTE("HEAD", "/_ping", system_ping, BODY_NONE),
	ROUTE("GET", "/_ping", system_ping, BODY_NONE),
	ROUTE("GET", "/version", system_version, BODY_NONE),
	ROUTE("GET", "/info", system_info, BODY_NONE),
	ROUTE("GET", "/events", system_events, BODY_NONE),
	ROUTE("GET", "/system/df", system_df, BODY_NONE),
	NOT_YET("POST", "/auth"),
	/* containers */
	ROUTE("GET", "/containers/json", containers_list, BODY_NONE),
	ROUTE("POST", "/containers/create", containers_create, BODY_JSON),
	ROUTE("POST", "/containers/prune", containers_prune, BODY_NONE),
	ROUTE("GET", "/containers/{id}/json", containers_inspect, BODY_NONE),
	ROUTE("GET", "/containers/{id}/logs", containers_logs, BODY_NONE),
	ROUTE("POST", "/containers/{id}/start", containers_start, BODY_NONE),
	ROUTE("POST", "/containers/{id}/stop", containers_stop, BODY_NONE),
	ROUTE("POST", "/containers/{id}/restart", containers_restart, BODY_NONE),
	ROUTE("POST", "/containers/{id}/kill", containers_kill, BODY_NONE),
	ROUTE("POST", "/containers/{id}/rename", containers_rename, BODY_NONE),
	ROUTE("POST", "/containers/{id}/resize", containers_resize, BODY_NONE),
	ROUTE("POST", "/containers/{id}/attach", containers_attach, BODY_NONE),
	ROUTE("POST", "/containers/{id}/wait", containers_wait, BODY_NONE),
	ROUTE("POST", "/containers/{id}/exec", containers_exec, BODY_JSON),
	ROUTE("DELETE", "/containers/{id}", containers_remove, BODY_NONE),
	ROUTE("GET", "/containers/{id}/top", containers_top, BODY_NONE),
	NOT_YET("GET", "/containers/{id}/changes"),
	NOT_YET("GET", "/containers/{id}/export"),
	ROUTE("GET", "/containers/{id}/stats", containers_stats, BODY_NONE),
	ROUTE("POST", "/containers/{id}/update", containers_update, BODY_JSON),
	ROUTE("POST", "/containers/{id}/pause", containers_pause, BODY_NONE),
	ROUTE("POST", "/containers/{id}/unpause", containers_unpause, BODY_NONE),
	NOT_YET("POST", "/containers/{id}/copy"),
	NOT_YET("GET", "/containers/{id}/attach/ws"),
	NOT_YET("HEAD", "/containers/{id}/archive"),
	NOT_YET("GET", "/containers/{id}/archive"),
	NOT_YET("PUT", "/containers/{id}/archive"),
	NOT_YET("GET", "/containers/{id}/checkpoints"),
	NOT_YET("POST", "/containers/{id}/checkpoints"),
	NOT_YET("DELETE", "/containers/{id}/checkpoints/{checkpoint}"),
	NOT_YET("POST", "/commit"),
	/* exec */
	ROUTE("POST", "/exec/{id}/start", exec_start, BODY_JSON_OPTIONAL),
	ROUTE("POST", "/exec/{id}/resize", exec_resize, BODY_NONE),
	ROUTE("GET", "/exec/{id}/json", exec_inspect, BODY_NONE),
	/* images */
	ROUTE("GET", "/images/json", images_list, BODY_NONE),
	ROUTE("POST", "/images/load", images_load, BODY_RAW),
	ROUTE("POST", "/images/create", images_create, BODY_RAW),
	NOT_YET("GET", "/images/search"),
	NOT_YET("GET", "/images/get"),
	ROUTE("POST", "/images/prune", images_prune, BODY_NONE),
	ROUTE("GET", "/images/{name...}/json", images_inspect, BODY_NONE),
	ROUTE("GET", "/images/{name...}/history", images_history, BODY_NONE),
	ROUTE("POST", "/images/{name...}/tag", images_tag, BODY_NONE),
	ROUTE("DELETE", "/images/{name...}", images_remove, BODY_NONE),
	NOT_YET("GET", "/images/{name...}/get"),
	NOT_YET("POST", "/images/{name...}/push"),
	NOT_YET("GET", "/distribution/{name...}/json"),
	NOT_YET("POST", "/build"),
	ROUTE("POST", "/build/prune", system_build_prune, BODY_NONE),
	NOT_YET("POST", "/build/cancel"),
	NOT_YET("POST", "/session"),
	NOT_YET("POST", "/grpc"),
	/* networks; Docker has the list with and without the slash */
	ROUTE("GET", "/networks", networks_list, BODY_NONE),
	ROUTE("GET", "/networks/", networks_list, BODY_NONE),
	ROUTE("POST", "/networks/create", networks_create, BODY_JSON),
	ROUTE("POST", "/networks/prune", networks_prune, BODY_NONE),
	ROUTE("GET", "/networks/{id}", networks_inspect, BODY_NONE),
	ROUTE("DELETE", "/networks/{id}", networks_remove, BODY_NONE),
	ROUTE("POST", "/networks/{id}/connect", networks_connect, BODY_JSON),
	ROUTE("POST", "/networks/{id}/disconnect", networks_disconnect, BODY_JSON),
	/* volumes */
	ROUTE("GET", "/volumes", volumes_list, BODY_NONE),
	ROUTE("POST", "/volumes/create", volumes_create, BODY_JSON_OPTIONAL),
	ROUTE("POST", "/volumes/prune", volumes_prune, BODY_NONE),
	ROUTE("GET", "/volumes/{name}", volumes_inspect, BODY_NONE),
	ROUTE("DELETE", "/volumes/{name}", volumes_remove, BODY_NONE),
	SWARM("PUT", "/volumes/{name}"), /* cluster volumes alone are updated */
	/* plugins */
	ROUTE("GET", "/plugins", system_plugins, BODY_NONE),
	NOT_YET("GET", "/plugins/privileges"),
	NOT_YET("POST", "/plugins/pull"),
	NOT_YET("POST", "/plugins/create"),
	NOT_YET("GET", "/plugins/{name...}/json"),
	NOT_YET("POST", "/plugins/{name...}/enable"),
	NOT_YET("POST", "/plugins/{name...}/disable"),
	NOT_YET("POST", "/plugins/{name...}/upgrade"),
	NOT_YET("POST", "/plugins/{name...}/push"),
	NOT_YET("POST", "/plugins/{name...}/set"),
	NOT_YET("DELETE", "/plugins/{name...}"),
	/* swarm */
	SWARM("GET", "/swarm"),
	NOT_YET("POST", "/swarm/init"),
	NOT_YET("POST", "/swarm/join"),
	SWARM("POST", "/swarm/leave"),
	SWARM("POST", "/swarm/update"),
	SWARM("GET", "/swarm/unlockkey"),
	SWARM("POST", "/swarm/unlock"),
	SWARM("GET", "/services"),
	SWARM("POST", "/services/create"),
	SWARM("GET", "/services/{id}"),
	SWARM("DELETE", "/services/{id}"),
	SWARM("POST", "/services/{id}/update"),
	SWARM("GET", "/services/{id}/logs"),
	SWARM("GET", "/nodes"),
	SWARM("GET", "/nodes/{id}"),
	SWARM("DELETE", "/nodes/{id}"),
	SWARM("POST", "/nodes/{id}/update"),
	SWARM("GET", "/tasks"),
	SWARM("GET", "/tasks/{id}"),
	SWARM("GET", "/tasks/{id}/logs"),
	SWARM("GET", "/secrets"),
	SWARM("POST", "/secrets/create"),
	SWARM("GET", "/secrets/{id}"),
	SWARM("DELETE", "/secrets/{id}"),
	SWARM("POST", "/secrets/{id}/update"),
	SWARM("GET", "/configs"),
	SWARM("POST", "/configs/create"),
	SWARM("GET", "/configs/{id}"),
	SWARM("DELETE", "/configs/{id}"),
	SWARM("POST", "/configs/{id}/update"),
};
const size_t api_routes_len = ARRAY_SIZE(api_routes);
