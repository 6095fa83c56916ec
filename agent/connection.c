// SPDX-License-Identifier: GPL-2.0
/*
 * Addresses of a connection, in the forms that its handshake needs. Called by
 * worker.c, session.c and proxy_protocol.c, from any thread.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "connection.h"

/**
 * kseal_address_format() - address and port, for people
 * @ss: IPv4 or IPv6
 * @to: "192.0.2.1:443", "[2001:db8::1]:443"; "unknown" for another family
 * @size: of @to, KSEAL_ADDRESS_MAX
 *
 * Return: @to.
 */
const char *kseal_address_format(const struct sockaddr_storage *ss, char *to, size_t size)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)ss;
	const struct sockaddr_in *in = (const struct sockaddr_in *)ss;
	char host[INET6_ADDRSTRLEN];

	if (ss->ss_family == AF_INET &&
	    inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host)))
		snprintf(to, size, "%s:%u", host, ntohs(in->sin_port));
	else if (ss->ss_family == AF_INET6 &&
		 inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host)))
		snprintf(to, size, "[%s]:%u", host, ntohs(in6->sin6_port));
	else
		snprintf(to, size, "unknown");
	return to;
}

/**
 * kseal_address_port() - the port
 * @ss: IPv4 or IPv6
 *
 * Return: the port in host order, 0 for another family.
 */
uint16_t kseal_address_port(const struct sockaddr_storage *ss)
{
	if (ss->ss_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)ss)->sin_port);
	if (ss->ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)ss)->sin6_port);
	return 0;
}

/**
 * kseal_address_bytes() - the address as a certificate has it (RFC 5280 section 4.2.1.6)
 * @ss: IPv4 or IPv6
 * @to: 16 bytes of room
 *
 * An IPv4 address that is mapped into IPv6 is an IPv4 address.
 *
 * Return: 4 or 16, 0 for another family.
 */
size_t kseal_address_bytes(const struct sockaddr_storage *ss, unsigned char *to)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)ss;
	const struct sockaddr_in *in = (const struct sockaddr_in *)ss;

	if (ss->ss_family == AF_INET) {
		memcpy(to, &in->sin_addr, 4);
		return 4;
	}
	if (ss->ss_family != AF_INET6)
		return 0;
	if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
		memcpy(to, in6->sin6_addr.s6_addr + 12, 4);
		return 4;
	}
	memcpy(to, &in6->sin6_addr, 16);
	return 16;
}
