/* network.c: where the controller listens, and what others dial. */
#include "controller/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "proto/error.h"

#define PORT_TRIES 20 /* a port that is free at one address may be taken at another */

/* ---- Lists of words with commas between -------------------------------------------- */

static bool next_word(const char **list, char *word, size_t size)
{
	size_t n = strcspn(*list, ",");

	if (!**list)
		return false;
	snprintf(word, size, "%.*s", (int)n, *list);
	*list += n + ((*list)[n] == ',');
	return true;
}

static bool is_ipv6(const char *text)
{
	unsigned char bytes[16];

	return inet_pton(AF_INET6, text, bytes) == 1;
}

/* An IPv6 address has brackets where a port follows. */
static void bracket(char *to, size_t size, const char *host)
{
	snprintf(to, size, is_ipv6(host) ? "[%s]" : "%s", host);
}

/* ---- Addresses of this host ---------------------------------------------------------- */

typedef int address_fn(const char *address, void *argument);

/* Link-local addresses need the name of an interface of whoever dials: left out. */
static bool is_dialable(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET)
		return true;
	return address->sa_family == AF_INET6 &&
	       !IN6_IS_ADDR_LINKLOCAL(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

/* Those of a family, of interface `name` (NULL: of all but the loopback). */
static int each_of_family(const struct ifaddrs *list, int family, const char *name, address_fn *fn,
			  void *argument)
{
	int n = 0;

	for (const struct ifaddrs *i = list; i; i = i->ifa_next) {
		char text[NI_MAXHOST];
		int r;

		if (!i->ifa_addr || i->ifa_addr->sa_family != family || !(i->ifa_flags & IFF_UP) ||
		    (name ? strcmp(i->ifa_name, name) != 0 : (i->ifa_flags & IFF_LOOPBACK) != 0) ||
		    !is_dialable(i->ifa_addr))
			continue;
		if (getnameinfo(i->ifa_addr,
				family == AF_INET ? sizeof(struct sockaddr_in)
						  : sizeof(struct sockaddr_in6),
				text, sizeof text, NULL, 0, NI_NUMERICHOST) != 0)
			continue;
		r = fn(text, argument);
		if (r < 0)
			return r;
		n++;
	}
	return n;
}

/* How many there were, or what `fn` returned below 0. */
static int each_address(const char *name, address_fn *fn, void *argument)
{
	struct ifaddrs *list = NULL;
	int four, six;

	if (getifaddrs(&list) < 0)
		return -errno;
	four = each_of_family(list, AF_INET, name, fn, argument);
	six = four < 0 ? 0 : each_of_family(list, AF_INET6, name, fn, argument);
	freeifaddrs(list);
	return four < 0 ? four : six < 0 ? six : four + six;
}

/* ---- --ip ----------------------------------------------------------------------------- */

static int add_host(const char *address, void *argument)
{
	struct network *network = argument;
	char host[CONNECTION_ADDRESS_MAX];

	bracket(host, sizeof host, address);
	for (int i = 0; i < network->count; i++)
		if (strcmp(network->hosts[i], host) == 0)
			return 0;
	if (network->count == CONNECTION_ADDRESSES_MAX)
		return -E2BIG;
	strcpy(network->hosts[network->count++], host);
	return 0;
}

/* A name is of an interface, or of this host. */
static int add_name(struct network *network, const char *name, struct xc_error *err)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL;
	int r = if_nametoindex(name) ? each_address(name, add_host, network) : 0;

	if (r > 0)
		return 0;
	if (if_nametoindex(name))
		return error_set(err, r < 0 ? r : -EADDRNOTAVAIL,
				 "--ip: the interface %s has no address that others can dial",
				 name);
	if (getaddrinfo(name, NULL, &hints, &found) != 0)
		return error_set(err, -EINVAL,
				 "--ip: \"%.100s\" is no address, no interface and no name of this "
				 "host",
				 name);
	for (const struct addrinfo *i = found; i && r >= 0; i = i->ai_next) {
		char text[NI_MAXHOST];

		if (getnameinfo(i->ai_addr, i->ai_addrlen, text, sizeof text, NULL, 0,
				NI_NUMERICHOST) == 0)
			r = add_host(text, network);
	}
	freeaddrinfo(found);
	return r < 0 ? error_set(err, r, "--ip: \"%.100s\" has too many addresses", name) : 0;
}

int network_parse(struct network *network, const char *ip, struct xc_error *err)
{
	char word[CONNECTION_ADDRESS_MAX];
	bool is_all = false;
	int r = 0;

	*network = (struct network){ 0 };
	while (r == 0 && next_word(&ip, word, sizeof word)) {
		if (strcmp(word, "*") == 0)
			is_all = true;
		else
			r = add_name(network, word, err);
	}
	if (is_all) { /* which covers the others */
		network->count = 1;
		strcpy(network->hosts[0], "*");
	}
	if (r == 0 && network->count == 0)
		r = error_set(err, -EINVAL,
			      "--ip: give an address, an interface, or '*' for all addresses");
	return r;
}

/* ---- Binding ---------------------------------------------------------------------------- */

static int bind_one(void *router, const char *host, int port, int *got)
{
	char endpoint[CONNECTION_ADDRESS_MAX + 32];
	size_t size = sizeof endpoint;

	snprintf(endpoint, sizeof endpoint, port ? "tcp://%s:%d" : "tcp://%s:*", host, port);
	if (zmq_bind(router, endpoint) < 0)
		return -errno;
	if (zmq_getsockopt(router, ZMQ_LAST_ENDPOINT, endpoint, &size) < 0)
		return -errno;
	*got = atoi(strrchr(endpoint, ':') + 1);
	return 0;
}

static void unbind(void *router, char (*ends)[CONNECTION_ADDRESS_MAX + 32], int count)
{
	for (int i = 0; i < count; i++)
		zmq_unbind(router, ends[i]);
}

/* All, or none. `failed`: the one that could not be bound. */
static int bind_all(struct network *network, void *router, int port, int *failed)
{
	char ends[CONNECTION_ADDRESSES_MAX][CONNECTION_ADDRESS_MAX + 32];
	size_t size;

	for (int i = 0; i < network->count; i++) {
		int r = bind_one(router, network->hosts[i], port, &port);

		if (r < 0) {
			*failed = i;
			unbind(router, ends, i);
			return r;
		}
		size = sizeof ends[i];
		zmq_getsockopt(router, ZMQ_LAST_ENDPOINT, ends[i], &size);
	}
	network->port = port;
	return 0;
}

/* Where there is no IPv6, "*" is all of IPv4. */
static void allow_ipv6(void *router)
{
	int yes = access("/proc/net/if_inet6", R_OK) == 0;

	zmq_setsockopt(router, ZMQ_IPV6, &yes, sizeof yes);
}

int network_bind(struct network *network, void *router, int first, int last, struct xc_error *err)
{
	int failed = 0, r = 0, tries = first ? last - first + 1 : PORT_TRIES;

	allow_ipv6(router);
	for (int i = 0; i < tries; i++) {
		r = bind_all(network, router, first ? first + i : 0, &failed);
		if (r != -EADDRINUSE && r != -EACCES)
			break;
	}
	if (r == 0)
		return 0;
	if (first && r == -EADDRINUSE)
		return error_set(err, r,
				 first == last
					 ? "port %d is in use at %s: give another --port"
					 : "no port from %d on is free at %s: give other --port",
				 first, network->hosts[failed]);
	if (r == -EADDRNOTAVAIL)
		return error_set(err, r, "cannot listen at %s: it is no address of this host",
				 network->hosts[failed]);
	return error_set(err, r, "cannot listen at %s, port %d: %s", network->hosts[failed], first,
			 zmq_strerror(-r));
}

/* ---- What others dial ---------------------------------------------------------------------- */

struct list {
	struct connection *connection;
	int port;
};

static int add_address(const char *host, void *argument)
{
	struct list *list = argument;
	struct connection *c = list->connection;
	char name[CONNECTION_ADDRESS_MAX - 16];

	if (c->address_count == CONNECTION_ADDRESSES_MAX)
		return 0; /* those that come first must do */
	if (host[0] == '[')
		snprintf(name, sizeof name, "%s", host);
	else
		bracket(name, sizeof name, host);
	snprintf(c->addresses[c->address_count++], CONNECTION_ADDRESS_MAX, "tcp://%s:%d", name,
		 list->port);
	return 0;
}

/* NAME or NAME:PORT, which may be another one where addresses are translated. */
static int add_location(struct list *list, const char *word, struct xc_error *err)
{
	const char *colon = strrchr(word, ':');
	char host[CONNECTION_ADDRESS_MAX];
	struct list own = *list;

	snprintf(host, sizeof host, "%s", word);
	if (colon && colon > word && !is_ipv6(word) && word[strlen(word) - 1] != ']') {
		host[colon - word] = '\0';
		own.port = atoi(colon + 1);
	}
	add_address(host, &own);
	if (!connection_is_address(own.connection->addresses[own.connection->address_count - 1]))
		return error_set(err, -EINVAL, "--location: \"%.100s\" is no NAME or NAME:PORT",
				 word);
	return 0;
}

int network_addresses(const struct network *network, const char *location,
		      struct connection *connection, struct xc_error *err)
{
	struct list list = { connection, network->port };
	char word[CONNECTION_ADDRESS_MAX];
	int r = 0;

	connection->address_count = 0;
	while (location && r == 0 && next_word(&location, word, sizeof word))
		r = add_location(&list, word, err);
	if (r < 0 || connection->address_count > 0)
		return r;
	for (int i = 0; i < network->count; i++) {
		if (strcmp(network->hosts[i], "*") != 0)
			add_address(network->hosts[i], &list);
		else
			each_address(NULL, add_address, &list);
	}
	if (connection->address_count == 0) /* a host without a network */
		add_address("127.0.0.1", &list);
	return 0;
}
