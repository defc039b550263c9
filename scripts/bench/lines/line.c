/*
 * A line between two network namespaces: delay, loss, rate and a bounded queue in each direction,
 * and real TCP at both ends.
 *
 *   line <namespace file A> <namespace file B>
 *
 * It makes the TUN device "line0" in both namespaces, prints "ready", and passes packets between
 * them until its standard input ends. Each line of input sets the line anew and drops the packets
 * that are on it:
 *
 *   <delay in each direction, us> <lost packets per million> <kbit/s> <queue in bytes> <random seed>
 *
 * The reply is one line with the counts since the setting before:
 *
 *   <passed> <lost> <dropped by the queue> of A to B, the same of B to A, <connections begun in A>
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
  MAX_PACKET = 2048,  /* The device's MTU is 1500. */
  MAX_PACKETS = 1 << 16, /* on the line in one direction: 1 Gbit/s for 0.75 s */
  BATCH = 64,         /* packets read before the other direction has its turn */
  IDLE_NS = 1000000000,
};

struct packet {
  int64_t due;
  int length;
  unsigned char data[MAX_PACKET];
};

struct direction {
  int in, out;
  struct packet *ring;
  uint32_t head, tail;
  int64_t free_at; /* when the last packet has left the queue */
  uint64_t random;
  long passed, lost, dropped;
};

static struct {
  int64_t delay_ns, queue_ns;
  double loss, ns_per_byte;
} setting;
static long connections;

static void fail(const char *what) {
  fprintf(stderr, "line: %s: %s\n", what, strerror(errno));
  exit(1);
}

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* A device belongs to the namespace that its maker was in; its descriptor works in any other. */
static int make_device(const char *namespace) {
  int file = open(namespace, O_RDONLY | O_CLOEXEC);
  if (file < 0 || setns(file, CLONE_NEWNET) < 0) fail(namespace);
  close(file);
  int device = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (device < 0) fail("/dev/net/tun");
  struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
  strcpy(request.ifr_name, "line0");
  if (ioctl(device, TUNSETIFF, &request) < 0) fail("TUNSETIFF");
  return device;
}

/* xorshift64*, as a number from 0 to 1 */
static double next_random(uint64_t *state) {
  *state ^= *state >> 12;
  *state ^= *state << 25;
  *state ^= *state >> 27;
  return (double)((*state * UINT64_C(0x2545F4914F6CDD1D)) >> 11) / (double)(UINT64_C(1) << 53);
}

/* IPv4 and TCP with SYN and without ACK: the first packet of a connection, or its repetition. */
static int begins_connection(const unsigned char *data, int length) {
  if (length < 40 || data[0] >> 4 != 4 || data[9] != 6) return 0;
  int header = (data[0] & 15) * 4;
  return length >= header + 14 && (data[header + 13] & 0x12) == 0x02;
}

static void take(struct direction *way, int from_a) {
  int64_t time = now();
  for (int i = 0; i < BATCH && way->tail - way->head < MAX_PACKETS; i++) {
    struct packet *packet = &way->ring[way->tail % MAX_PACKETS];
    packet->length = (int)read(way->in, packet->data, MAX_PACKET);
    if (packet->length <= 0) return;
    if (from_a && begins_connection(packet->data, packet->length)) connections++;
    if (next_random(&way->random) < setting.loss) {
      way->lost++;
      continue;
    }
    if (way->free_at < time) way->free_at = time;
    if (way->free_at - time > setting.queue_ns) {
      way->dropped++;
      continue;
    }
    way->free_at += (int64_t)(packet->length * setting.ns_per_byte);
    packet->due = way->free_at + setting.delay_ns;
    way->tail++;
  }
}

/* Returns when the next packet is due, or `latest`. */
static int64_t deliver(struct direction *way, int64_t time, int64_t latest) {
  for (; way->head != way->tail; way->head++) {
    struct packet *packet = &way->ring[way->head % MAX_PACKETS];
    if (packet->due > time) return packet->due < latest ? packet->due : latest;
    /* A device that takes none loses it, as the end of a real line would. */
    if (write(way->out, packet->data, packet->length) == packet->length) way->passed++;
    else way->dropped++;
  }
  return latest;
}

static void reset(struct direction *way, uint64_t seed) {
  way->head = way->tail;
  way->free_at = 0;
  way->random = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
  way->passed = way->lost = way->dropped = 0;
}

static void apply(const char *text, struct direction ways[2]) {
  long long delay_us, loss, kbit, queue, seed;
  if (sscanf(text, "%lld %lld %lld %lld %lld", &delay_us, &loss, &kbit, &queue, &seed) != 5 ||
      delay_us < 0 || loss < 0 || kbit <= 0 || queue <= 0) {
    errno = EINVAL;
    fail(text);
  }
  printf("%ld %ld %ld %ld %ld %ld %ld\n", ways[0].passed, ways[0].lost, ways[0].dropped,
         ways[1].passed, ways[1].lost, ways[1].dropped, connections);
  fflush(stdout);
  setting.delay_ns = delay_us * 1000;
  setting.loss = (double)loss / 1e6;
  setting.ns_per_byte = 8e6 / (double)kbit;
  setting.queue_ns = (int64_t)((double)queue * setting.ns_per_byte);
  connections = 0;
  reset(&ways[0], 2 * (uint64_t)seed + 1);
  reset(&ways[1], 2 * (uint64_t)seed + 2);
}

/* Input is short and comes in whole lines. Returns 0 at its end. */
static int take_input(struct direction ways[2]) {
  char text[256];
  ssize_t length = read(0, text, sizeof text - 1);
  if (length <= 0) return 0;
  text[length] = 0;
  apply(text, ways);
  return 1;
}

int main(int count, char **args) {
  if (count != 3) {
    fprintf(stderr, "usage: line <namespace file A> <namespace file B>\n");
    return 2;
  }
  int a = make_device(args[1]), b = make_device(args[2]);
  struct direction ways[2] = {{.in = a, .out = b}, {.in = b, .out = a}};
  for (int i = 0; i < 2; i++) {
    ways[i].ring = calloc(MAX_PACKETS, sizeof(struct packet));
    if (ways[i].ring == NULL) fail("memory");
  }
  /* The programs at both ends use all processors; the line must not wait for them. */
  setpriority(PRIO_PROCESS, 0, -15);
  prctl(PR_SET_TIMERSLACK, 1000);
  setting.ns_per_byte = 1;
  setting.queue_ns = IDLE_NS;
  printf("ready\n");
  fflush(stdout);
  for (;;) {
    int64_t time = now(), next = time + IDLE_NS;
    for (int i = 0; i < 2; i++) next = deliver(&ways[i], time, next);
    int64_t wait = next - now();
    if (wait < 0) wait = 0;
    struct timespec timeout = {wait / 1000000000, wait % 1000000000};
    struct pollfd files[3] = {{a, POLLIN, 0}, {b, POLLIN, 0}, {0, POLLIN, 0}};
    if (ppoll(files, 3, &timeout, NULL) < 0 && errno != EINTR) fail("ppoll");
    if (files[2].revents && !take_input(ways)) return 0;
    for (int i = 0; i < 2; i++) take(&ways[i], i == 0);
  }
}
