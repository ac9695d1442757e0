#include "test/bench/load/load.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
    "usage: load [OPTION]... MODE\n"
    "  MODE   ub          whole bootstrappings, on kept connections\n"
    "         ua-full     key requests, each on a new connection with a full handshake\n"
    "         ua-resumed  the same with a resumed session\n"
    "         ua-kept     key requests on kept connections\n"
    "         ua-idle     --connections, each with one key request; then they stay idle until standard input ends\n"
    "         life        each device's first key (bootstrapping, full handshake, key request), then one renewal (resumed)\n"
    "         provision   make the subscribers known to bsfd, and end\n"
    "  --ub ADDRESS:PORT --ub-fqdn NAME     bsfd's Ub, and its name\n"
    "  --ua ADDRESS:PORT --naf-fqdn NAME    nafkcd's Ua, and its name\n"
    "  --control unix:PATH                  bsfd's control socket, for provision and --provision\n"
    "  --ca FILE --ca-key FILE              the CA of the server's and of the devices' certificates\n"
    "  --subscribers N [64]  --devices N [64]  --connections N [64: closed loop; life: at once, at most]\n"
    "                        connection i comes with the B-TIDs of subscribers i, i + connections, ... in turn;\n"
    "                        each new connection is the next device's\n"
    "  --rate R              life: operations begun per second [100]\n"
    "  --seconds S [5]       the measured time; --warm S [1] before it is not counted\n"
    "  --count N             end after so many operations (no measured time)\n"
    "  --foreign             the server at --ua is another one: any 200 will do, no B-TID is needed; ub: plain GETs of --ub\n"
    "  --provision           provision first\n"
    "  --cpu-of PID          count the CPU time of this process, too; repeatable\n"
    "Prints one JSON object. Exit 1: an operation failed.\n";

static double
number(const char *text)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || *end != '\0' || !(v >= 0 && v <= 1e9))
		die("%s: expected a number", text);
	return v;
}

void
options_read(int argc, char **argv, struct options *o)
{
	enum { UB = 256, UB_FQDN, UA, NAF_FQDN, CONTROL, CA, CA_KEY, SUBSCRIBERS, DEVICES, CONNECTIONS, RATE, SECONDS, WARM, COUNT, FOREIGN,
		PROVISION, CPU_OF };
	static const struct option opts[] = {
		{ "ub", 1, NULL, UB }, { "ub-fqdn", 1, NULL, UB_FQDN }, { "ua", 1, NULL, UA }, { "naf-fqdn", 1, NULL, NAF_FQDN },
		{ "control", 1, NULL, CONTROL }, { "ca", 1, NULL, CA }, { "ca-key", 1, NULL, CA_KEY }, { "subscribers", 1, NULL, SUBSCRIBERS },
		{ "devices", 1, NULL, DEVICES }, { "connections", 1, NULL, CONNECTIONS }, { "rate", 1, NULL, RATE },
		{ "seconds", 1, NULL, SECONDS }, { "warm", 1, NULL, WARM }, { "count", 1, NULL, COUNT }, { "foreign", 0, NULL, FOREIGN },
		{ "provision", 0, NULL, PROVISION }, { "cpu-of", 1, NULL, CPU_OF }, { "help", 0, NULL, 'h' }, { NULL, 0, NULL, 0 }
	};
	int c;

	*o = (struct options){ .subscribers = 64, .devices = 64, .connections = 64, .rate = 100, .seconds = 5, .warm = 1 };
	while ((c = getopt_long(argc, argv, "h", opts, NULL)) != -1) {
		switch (c) {
		case UB: o->ub = optarg; break;
		case UB_FQDN: o->ub_fqdn = optarg; break;
		case UA: o->ua = optarg; break;
		case NAF_FQDN: o->naf_fqdn = optarg; break;
		case CONTROL: o->control = optarg; break;
		case CA: o->ca = optarg; break;
		case CA_KEY: o->ca_key = optarg; break;
		case SUBSCRIBERS: o->subscribers = (size_t)number(optarg); break;
		case DEVICES: o->devices = (size_t)number(optarg); break;
		case CONNECTIONS: o->connections = (size_t)number(optarg); break;
		case RATE: o->rate = number(optarg); break;
		case SECONDS: o->seconds = number(optarg); break;
		case WARM: o->warm = number(optarg); break;
		case COUNT: o->count = (size_t)number(optarg); break;
		case FOREIGN: o->foreign = true; break;
		case PROVISION: o->provision = true; break;
		case CPU_OF:
			if (o->n_servers == SERVERS_MAX)
				die("too many --cpu-of");
			o->servers[o->n_servers++] = (pid_t)number(optarg);
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			fputs(usage, stderr);
			exit(2);
		}
	}
	if (optind + 1 != argc) {
		fputs(usage, stderr);
		exit(2);
	}
	o->mode = argv[optind];
}
