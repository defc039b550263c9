/*
 * A seed of the original protocol as C programs are: it serves the files of one
 * folder, one client at a time, and answers each connection once. Arguments after
 * the folder choose its habits; the first line on standard output is its port.
 *
 *   size=lf|crlf|none|nul|lf-nul|lf-lf|padded|space   how SIZE:<n> ends (space: "SIZE: <n>", no end)
 *   list=lf|crlf|nul|open|padded                      between names, and behind the last one
 *   missing=code|own-code|text|bare                   what it says of a file that is not there
 *   hello=close|error|silent                    what it answers to a greeting
 *   chunk=<bytes>                                     the most that one DOWNLOAD gives
 *   pad-last                                          fills the last chunk with NUL
 *   reset                                             resets each connection after its reply
 *   bad-names                                         lists names that cannot be valid, too
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *size_end = "lf", *list_end = "lf", *missing = "code", *hello = "close";
static long chunk = 32;
static int pad_last, reset, bad_names;
static const char *folder;

static void send_all(int client, const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t sent = send(client, bytes, length, MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes += sent;
    length -= (size_t)sent;
  }
}

static void say(int client, const char *text) {
  send_all(client, text, strlen(text));
}

/* Sends the whole buffer, as a program does that forgets how much of it is in use. */
static void send_padded(int client, const char *text) {
  char buffer[4096] = {0};
  strncpy(buffer, text, sizeof buffer - 1);
  send_all(client, buffer, sizeof buffer);
}

static void answer_missing(int client) {
  if (!strcmp(missing, "code")) say(client, "ERROR:NOT_FOUND no such file\n");
  else if (!strcmp(missing, "own-code")) say(client, "ERROR:FILE_NOT_FOUND");
  else if (!strcmp(missing, "text")) say(client, "ERROR: File not found\r\n");
  else say(client, "ERROR");
}

static FILE *open_named(const char *name) {
  char path[4096];
  if (strstr(name, "..")) return NULL;
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return fopen(path, "rb");
}

static void answer_size(int client, const char *name) {
  FILE *file = open_named(name);
  char text[64];
  if (!file) {
    answer_missing(client);
    return;
  }
  fseek(file, 0, SEEK_END);
  snprintf(text, sizeof text, "SIZE:%s%ld", strcmp(size_end, "space") ? "" : " ", ftell(file));
  fclose(file);
  if (!strcmp(size_end, "padded")) {
    send_padded(client, text);
    return;
  }
  say(client, text);
  if (!strcmp(size_end, "lf")) say(client, "\n");
  else if (!strcmp(size_end, "crlf")) say(client, "\r\n");
  else if (!strcmp(size_end, "nul")) send_all(client, "\0", 1);
  else if (!strcmp(size_end, "lf-nul")) send_all(client, "\n\0", 2);
  else if (!strcmp(size_end, "lf-lf")) say(client, "\n\n");
}

static int by_name(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static void answer_list(int client) {
  const char *names[1024];
  int count = 0;
  DIR *dir = opendir(folder);
  for (struct dirent *entry; dir && (entry = readdir(dir)) && count < 1000;) {
    if (entry->d_name[0] != '.') names[count++] = strdup(entry->d_name);
  }
  if (dir) closedir(dir);
  qsort(names, (size_t)count, sizeof *names, by_name);
  if (bad_names) {
    names[count++] = strdup("../secret");
    names[count++] = strdup("not\xffutf-8");
    names[count++] = strdup("back\\slash");
  }
  size_t mark = !strcmp(list_end, "crlf") ? 2 : 1;
  const char *separator = !strcmp(list_end, "crlf") ? "\r\n" : !strcmp(list_end, "nul") ? "\0" : "\n";
  for (int i = 0; i < count; i++) {
    say(client, names[i]);
    if (i < count - 1 || strcmp(list_end, "open")) send_all(client, separator, mark);
    free((char *)names[i]);
  }
  if (!strcmp(list_end, "padded")) send_padded(client, "");
}

static void answer_download(int client, char *request) {
  char *cut = strrchr(request, '|');
  if (!cut) return;
  *cut = 0;
  FILE *file = open_named(request);
  if (!file) return;
  char *buffer = calloc(1, (size_t)chunk);
  fseek(file, atol(cut + 1), SEEK_SET);
  size_t length = fread(buffer, 1, (size_t)chunk, file);
  send_all(client, buffer, pad_last && length > 0 ? (size_t)chunk : length);
  free(buffer);
  fclose(file);
}

static void answer(int client) {
  char request[8192];
  ssize_t length = recv(client, request, sizeof request - 1, 0);
  if (length <= 0) return;
  request[length] = 0;
  request[strcspn(request, "\r\n")] = 0;
  if (!strncmp(request, "FILESIZE ", 9)) answer_size(client, request + 9);
  else if (!strncmp(request, "DOWNLOAD ", 9)) answer_download(client, request + 9);
  else if (!strcmp(request, "LIST")) answer_list(client);
  else if (!strcmp(hello, "error")) say(client, "ERROR: unknown command");
  /* Until the client leaves; ends its side, at least. */
  else if (!strcmp(hello, "silent")) while (recv(client, request, sizeof request, 0) > 0);
}

int main(int count, char **arguments) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  folder = arguments[1];
  for (int i = 2; i < count; i++) {
    if (!strncmp(arguments[i], "size=", 5)) size_end = arguments[i] + 5;
    else if (!strncmp(arguments[i], "list=", 5)) list_end = arguments[i] + 5;
    else if (!strncmp(arguments[i], "missing=", 8)) missing = arguments[i] + 8;
    else if (!strncmp(arguments[i], "hello=", 6)) hello = arguments[i] + 6;
    else if (!strncmp(arguments[i], "chunk=", 6)) chunk = atol(arguments[i] + 6);
    else if (!strcmp(arguments[i], "pad-last")) pad_last = 1;
    else if (!strcmp(arguments[i], "reset")) reset = 1;
    else if (!strcmp(arguments[i], "bad-names")) bad_names = 1;
    else return fprintf(stderr, "unknown habit %s\n", arguments[i]), 2;
  }
  signal(SIGPIPE, SIG_IGN);
  int server = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(server, (struct sockaddr *)&address, sizeof address) || listen(server, 64)) return 1;
  getsockname(server, (struct sockaddr *)&address, &length);
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  for (;;) {
    int client = accept(server, NULL, NULL);
    if (client < 0) continue;
    answer(client);
    if (reset) {
      /* What was sent has to be there first, or the reset overtakes it. */
      struct linger at_once = {.l_onoff = 1};
      usleep(2000);
      setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }
    close(client);
  }
}
