// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's part of `kseal doctor`: its configuration, the module, the clash of
 * upper layer protocols, ciphers, and network interfaces that could seal.
 */
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "doctor.h"
#include "query.h"

/* Where distributions put a kernel's configuration, %s being its release. */
static const char *const configs[] = {
	"/boot/config-%s",
	"/lib/modules/%s/config",
	"/lib/modules/%s/build/.config",
	"/usr/lib/modules/%s/config",
};

/* What kernel/compat/check-config asks for as well, but when the module is built. */
static const struct {
	const char *option, *why;
	bool needed;
} wanted[] = {
	{ "INET", "kseal seals TCP", true },
	{ "MODULES", "kseal is a module", true },
	{ "SECCOMP_FILTER", "kseal run intercepts calls with seccomp", true },
	{ "CRYPTO_GCM", "AES-GCM", true },
	{ "CRYPTO_HMAC", "KeyUpdate of TLS 1.3", true },
	{ "CRYPTO_SHA256", "KeyUpdate of TLS 1.3", true },
	{ "CRYPTO_SHA512", "KeyUpdate of TLS 1.3 with AES-256", true },
	{ "CRYPTO_CHACHA20POLY1305", "ChaCha20-Poly1305", false },
	{ "CRYPTO_CCM", "AES-CCM", false },
};

#define WANTED	(sizeof(wanted) / sizeof(wanted[0]))

static FILE *open_config(const char *release, bool *piped)
{
	char path[256];
	FILE *file;
	size_t i;

	for (i = 0; i < sizeof(configs) / sizeof(configs[0]); i++) {
		snprintf(path, sizeof(path), configs[i], release);
		file = fopen(path, "re");
		if (file)
			return file;
	}
	*piped = true;
	return access("/proc/config.gz", R_OK) ? NULL : popen("zcat /proc/config.gz", "re");
}

/**
 * kseal_check_kernel() - what the running kernel was built with
 * @patient: to report to
 */
void kseal_check_kernel(struct kseal_patient *patient)
{
	bool has[WANTED] = { false }, piped = false;
	char line[256], option[64];
	unsigned int missing = 0;
	struct utsname name;
	FILE *file;
	size_t i;

	uname(&name);
	file = open_config(name.release, &piped);
	if (!file) {
		kseal_report(patient, KSEAL_NOTE, "kernel", NULL,
			     "%s; its configuration is not to be found", name.release);
		return;
	}
	while (fgets(line, sizeof(line), file))
		for (i = 0; i < WANTED; i++) {
			snprintf(option, sizeof(option), "CONFIG_%s=", wanted[i].option);
			if (!strncmp(line, option, strlen(option)) &&
			    (line[strlen(option)] == 'y' || line[strlen(option)] == 'm'))
				has[i] = true;
		}
	if (piped)
		pclose(file);
	else
		fclose(file);
	for (i = 0; i < WANTED; i++) {
		if (has[i])
			continue;
		missing += wanted[i].needed;
		kseal_report(patient, wanted[i].needed ? KSEAL_BAD : KSEAL_NOTE, "kernel",
			     wanted[i].needed ? "use a kernel that has it" : NULL,
			     "%s has no CONFIG_%s: %s", name.release, wanted[i].option,
			     wanted[i].why);
	}
	if (!missing)
		kseal_report(patient, KSEAL_GOOD, "kernel", NULL, "%s has what is needed",
			     name.release);
}

/**
 * kseal_module_loaded() - is it in /proc/modules?
 * @name: of a module
 */
bool kseal_module_loaded(const char *name)
{
	size_t length = strlen(name);
	char line[512];
	bool found = false;
	FILE *file;

	file = fopen("/proc/modules", "re");
	if (!file)
		return false;
	while (!found && fgets(line, sizeof(line), file))
		found = !strncmp(line, name, length) && line[length] == ' ';
	fclose(file);
	return found;
}

/* Can modprobe load it? */
static bool loadable(const char *name)
{
	const char *const argv[] = { "modprobe", "--dry-run", "--quiet", name, NULL };
	char output[256];

	return !kseal_ask_program(argv, output, sizeof(output));
}

/* Does the kernel load unsigned modules? */
static bool wants_signature(void)
{
	char line[128];

	kseal_read_line("/sys/module/module/parameters/sig_enforce", line, sizeof(line));
	if (*line == 'Y')
		return true;
	kseal_read_line("/sys/kernel/security/lockdown", line, sizeof(line));
	return strstr(line, "[integrity]") || strstr(line, "[confidentiality]");
}

static void check_not_loaded(struct kseal_patient *patient)
{
	struct utsname name;

	uname(&name);
	if (loadable("kseal"))
		kseal_report(patient, KSEAL_BAD, "module",
			     wants_signature() ?
			     "modprobe kseal; if the kernel refuses its signature see \"Secure "
			     "Boot\" in operations.md" :
			     "modprobe kseal",
			     "kseal is not loaded");
	else
		kseal_report(patient, KSEAL_BAD, "module",
			     "install kseal-dkms and the kernel's headers, or in the source: make "
			     "&& make install",
			     "there is no kseal.ko for %s", name.release);
}

/* The kernel's own tls and kseal under its name: see operations.md. */
static void check_clash(struct kseal_patient *patient)
{
	char name[64];

	kseal_read_line("/sys/module/kseal/parameters/ulp_name", name, sizeof(name));
	if (strcmp(name, "tls")) {
		kseal_report(patient, KSEAL_GOOD, "tls.ko", NULL,
			     "it may be loaded: kseal does not take its name");
		return;
	}
	if (kseal_module_loaded("tls"))
		kseal_report(patient, KSEAL_BAD, "tls.ko",
			     "close the sockets that use it and reboot, without tls.ko; do not "
			     "remove it",
			     "it is loaded beside kseal, which has taken its name "
			     "(ulp_name=tls): the kernel will crash when it is removed");
	else if (loadable("tls"))
		kseal_report(patient, KSEAL_WARNING, "tls.ko",
			     "\"blacklist tls\" and \"install tls /bin/false\" in "
			     "/etc/modprobe.d/kseal.conf",
			     "kseal has taken its name (ulp_name=tls), and it could still be "
			     "loaded");
	else
		kseal_report(patient, KSEAL_GOOD, "tls.ko", NULL,
			     "kseal has taken its name (ulp_name=tls), and it can't be loaded");
}

/**
 * kseal_check_module() - is it there, does it answer, is it of our version?
 * @patient: to report to
 */
void kseal_check_module(struct kseal_patient *patient)
{
	const char *version;

	if (!kseal_module_loaded("kseal")) {
		check_not_loaded(patient);
		return;
	}
	if (!patient->status) {
		kseal_report(patient, geteuid() ? KSEAL_NOTE : KSEAL_BAD, "module", NULL,
			     "kseal is loaded: %s", patient->why);
	} else {
		json_t *module = json_object_get(patient->status, "module");

		version = json_string_value(json_object_get(module, "version"));
		if (version && !strcmp(version, KSEAL_VERSION))
			kseal_report(patient, KSEAL_GOOD, "module", NULL, "kseal %s is loaded",
				     version);
		else
			kseal_report(patient, KSEAL_WARNING, "module",
				     "install both from one version, then reload the module",
				     "kseal %s is loaded, this program is %s",
				     version ? version : "?", KSEAL_VERSION);
	}
	check_clash(patient);
}

static bool cpu_has_aes(void)
{
	char line[8192];
	bool found = false;
	FILE *file;

	file = fopen("/proc/cpuinfo", "re");
	if (!file)
		return false;
	while (!found && fgets(line, sizeof(line), file))
		if (!strncmp(line, "flags", 5) || !strncmp(line, "Features", 8))
			found = strstr(line, " aes ") || strstr(line, " aes\n");
	fclose(file);
	return found;
}

/* Is there an AES-GCM that isn't the portable code? */
static bool fast_aes(void)
{
	char line[256], name[128] = "";
	bool found = false;
	FILE *file;

	file = fopen("/proc/crypto", "re");
	if (!file)
		return true;
	while (!found && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "name : %127s", name) == 1)
			continue;
		if (!strncmp(line, "driver", 6) && !strcmp(name, "gcm(aes)"))
			found = !strstr(line, "aes-generic") && !strstr(line, "aes-lib");
	}
	fclose(file);
	return found;
}

/**
 * kseal_check_ciphers() - are the ciphers there, and the fast ones?
 * @patient: to report to
 */
void kseal_check_ciphers(struct kseal_patient *patient)
{
	json_t *ciphers = json_object_get(json_object_get(patient->status, "module"), "ciphers");
	bool gcm = false;
	json_t *cipher;
	size_t i;

	if (!patient->status)
		return;
	json_array_foreach(ciphers, i, cipher)
		gcm |= !strcmp(json_string_value(cipher), "AES-128-GCM");
	if (!gcm)
		kseal_report(patient, KSEAL_BAD, "ciphers", "modprobe gcm; modprobe aes_generic",
			     "the kernel has no AES-GCM");
	else if (cpu_has_aes() && !fast_aes())
		kseal_report(patient, KSEAL_WARNING, "ciphers",
			     "modprobe aesni_intel (arm64: aes_ce_blk, ghash_ce), now and in "
			     "/etc/modules-load.d",
			     "%zu, but AES-GCM does not use the processor's instructions",
			     json_array_size(ciphers));
	else
		kseal_report(patient, KSEAL_GOOD, "ciphers", NULL, "%zu, AES-GCM among them",
			     json_array_size(ciphers));
}

/* One ethtool request on an interface. */
static bool ethtool(int fd, const char *interface, void *request)
{
	struct ifreq ifr = { .ifr_data = request };

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", interface);
	return !ioctl(fd, SIOCETHTOOL, &ifr);
}

/* The number of a feature of network interfaces; -1 if this kernel has none of the name. */
static int feature_number(int fd, const char *interface, const char *name, uint32_t *count)
{
	struct {
		struct ethtool_sset_info info;
		uint32_t length;
	} set = { .info = { .cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1 << ETH_SS_FEATURES } };
	struct ethtool_gstrings *names;
	int number = -1;
	uint32_t i;

	if (!ethtool(fd, interface, &set) || !set.info.sset_mask)
		return -1;
	*count = set.length;
	names = calloc(1, sizeof(*names) + (size_t)*count * ETH_GSTRING_LEN);
	if (!names)
		return -1;
	names->cmd = ETHTOOL_GSTRINGS;
	names->string_set = ETH_SS_FEATURES;
	names->len = *count;
	if (ethtool(fd, interface, names))
		for (i = 0; i < names->len; i++)
			if (!strncmp((char *)names->data + i * ETH_GSTRING_LEN, name,
				     ETH_GSTRING_LEN))
				number = i;
	free(names);
	return number;
}

/* Return: 0 it has not, 1 it has and it's off, 2 it is on */
static int feature(int fd, const char *interface, const char *name)
{
	uint32_t count = 0, blocks, bit;
	struct ethtool_gfeatures *features;
	int number, ret = 0;

	number = feature_number(fd, interface, name, &count);
	if (number < 0)
		return 0;
	blocks = (count + 31) / 32;
	bit = 1U << (number % 32);
	features = calloc(1, sizeof(*features) + blocks * sizeof(features->features[0]));
	if (!features)
		return 0;
	features->cmd = ETHTOOL_GFEATURES;
	features->size = blocks;
	if (ethtool(fd, interface, features)) {
		if (features->features[number / 32].available & bit)
			ret = 1;
		if (features->features[number / 32].active & bit)
			ret = 2;
	}
	free(features);
	return ret;
}

/**
 * kseal_check_offload() - network interfaces that could seal records themselves
 * @patient: to report to
 */
void kseal_check_offload(struct kseal_patient *patient)
{
	struct if_nameindex *interfaces = if_nameindex(), *one;
	char remedy[KSEAL_MESSAGE_LEN];
	int fd = socket(AF_INET, SOCK_DGRAM, 0), state;
	unsigned int capable = 0;

	for (one = interfaces; one && one->if_name; one++) {
		state = feature(fd, one->if_name, "tls-hw-tx-offload");
		if (!state)
			continue;
		capable++;
		if (state == 1) {
			snprintf(remedy, sizeof(remedy),
				 "ethtool -K %s tls-hw-tx-offload on, if it is to seal",
				 one->if_name);
			kseal_report(patient, KSEAL_NOTE, "offload", remedy,
				     "%s could seal records, but it is switched off", one->if_name);
		} else if (!kseal_module_loaded("kseal_offload")) {
			kseal_report(patient, KSEAL_NOTE, "offload",
				     loadable("kseal_offload") ? "modprobe kseal_offload" : NULL,
				     "%s could seal records; kseal_offload is not loaded",
				     one->if_name);
		} else {
			kseal_report(patient, KSEAL_GOOD, "offload", NULL, "%s seals records",
				     one->if_name);
		}
	}
	if (!capable)
		kseal_report(patient, KSEAL_GOOD, "offload", NULL,
			     "no network interface can seal records; the processor does");
	if_freenameindex(interfaces);
	close(fd);
}
