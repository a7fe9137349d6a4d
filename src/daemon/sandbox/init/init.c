/*
 * The first process of every cell, and the only one of a container that holds a network namespace. It uses no library.
 *
 *   init FOLDERS PROGRAM [ARGUMENT...]
 *
 * Its standard input begins with "cold" or "warm" and 8 bytes that the program never learns; then 2 bytes that say of how many
 * instructions a seccomp filter is (all numbers are little-endian), and the filter: see filter.ts. Then comes the input of one task: 4
 * bytes of length, and that many bytes. Only when all of it has come does the program get it, through a pipe as its
 * standard input, and then its end. A cold cell's program is started only then, a warm one's before. When whoever gives the input
 * goes away earlier, be it the daemon or the engine, all ends with exit code 125: a cold program never ran, and a warm one never sees
 * an end that nobody meant. So it does at TTIN, if something of the input is still to come, and at TERM and PWR while there is no
 * program. TERM and its like it hands on to every process of the cell; at PWR it kills them. It buries orphans, and ends with the
 * program's exit code, or 128 and the signal that ended it. The program cannot trace it.
 *
 * The filter is before all that it starts. Where it asks, the call is refused (EPERM), and said on standard error: the first of each
 * kind at once, in a line that begins with "orchestrator-refused" and the 8 bytes, and all together in the end. A kernel that cannot
 * ask refuses without saying so; where no filter can be had the program does not run. Who is asked is this process: the program can
 * neither end nor stop it, and when it dies, all die.
 *
 * In the end it says what the kernel counted, in lines that begin with "orchestrator-end" and the 8 bytes: nobody else could, when the
 * cell is gone. FOLDERS is a list, with colons, of file systems in memory: which of them are full is said, too.
 *
 * Without arguments it waits for ever.
 */
#include "kernel.h"
#include "say.h"
#include "refused.h"

#define READ_MORE 65536
#define MOST_INPUT (16u << 20)

static void quitWithoutInput(void) {
  complain("its input did not come whole: it is ended without having had any of it", "");
  quit(NO_INPUT);
}

/* Becomes the program, which is looked for as execvp(3) does. */
static void become(char **program, char **env) {
  const char *name = program[0], *path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  char full[4096];
  long error = -2;
  for (const char *at = name; *at; at++) if (*at == '/') { error = CALL(EXECVE, name, program, env, 0); goto failed; }
  for (char **one = env; *one; one++)
    if ((*one)[0] == 'P' && (*one)[1] == 'A' && (*one)[2] == 'T' && (*one)[3] == 'H' && (*one)[4] == '=') path = *one + 5;
  while (*path) {
    word n = 0, m = 0;
    while (path[n] && path[n] != ':') n++;
    if (n > 0 && n + length(name) + 2 <= sizeof full) {
      for (word i = 0; i < n; i++) full[m++] = path[i];
      full[m++] = '/';
      for (word i = 0; i <= length(name); i++) full[m + i] = name[i];
      long now = CALL(EXECVE, full, program, env, 0);
      if (now != -2 && now != -20) error = now;
    }
    path += path[n] ? n + 1 : n;
  }
failed:
  complain(name, error == -2 ? " is not there to be run" : " cannot be run");
  quit(error == -2 ? NO_PROGRAM : CANNOT_RUN);
}

/* Starts the program, with a pipe as its standard input. */
static long start(char **program, char **env, const int *pipe) {
  word none = 0;
  long pid = CALL(CLONE, SIG_CHLD, 0, 0, 0);
  if (pid < 0) quit(CANNOT_RUN);
  if (pid == 0) {
    CALL(DUP3, pipe[0], 0, 0, 0);
    CALL(SIGPROCMASK, 2, &none, 0, 8);
    become(program, env);
  }
  CALL(CLOSE, pipe[0], 0, 0, 0);
  return pid;
}

static void readWhole(unsigned char *bytes, word size) {
  for (word have = 0; have < size;) {
    long n = CALL(READ, 0, bytes + have, size - have, 0);
    if (n > 0) have += n;
    else if (n != -EINTR) quitWithoutInput();
  }
}

static int begins(const unsigned char *text, const char *with) {
  for (word i = 0; with[i]; i++) if (text[i] != with[i]) return 0;
  return 1;
}

/* What the kernel counted of this cell, with either version of its control groups: each file is one line. */
static void sayCounted(const struct secret *secret) {
  static const char files[][48] = {
      "/sys/fs/cgroup/cpuacct/cpuacct.usage", "/sys/fs/cgroup/memory/memory.max_usage_in_bytes",
      "/sys/fs/cgroup/memory/memory.oom_control", "/sys/fs/cgroup/pids/pids.events",
      "/sys/fs/cgroup/cpu.stat", "/sys/fs/cgroup/memory.peak", "/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/pids.events"};
  char text[512];
  struct line line;
  for (word i = 0; i < sizeof files / sizeof *files; i++) {
    if (readLine(files[i], text, sizeof text) == 0) continue;
    startLine(&line, "end", secret);
    put(&line, files[i]), put(&line, " "), put(&line, text);
    endLine(&line);
  }
}

/* Says of which folders, "/tmp:/data", nothing is left. */
static void sayFull(const struct secret *secret, const char *folders) {
  struct { long type, size; word blocks, free, available, files, freeFiles; long rest[16]; } about;
  char one[256];
  struct line line;
  while (*folders) {
    word n = 0;
    while (folders[n] && folders[n] != ':') { if (n < 255) one[n] = folders[n]; n++; }
    one[n < 255 ? n : 255] = 0;
    if (n > 0 && CALL(STATFS, one, &about, 0, 0) == 0 && about.blocks > 0 && (about.free == 0 || about.freeFiles == 0)) {
      startLine(&line, "end", secret);
      put(&line, "full "), put(&line, one);
      endLine(&line);
    }
    folders += folders[n] ? n + 1 : n;
  }
}

/* Ends as the program did, if it has ended; buries whoever else has. */
static void bury(long program, const struct secret *secret, const struct allRefused *refused, const char *folders) {
  int status;
  for (long pid; (pid = CALL(WAIT4, -1, &status, 1, 0)) > 0;) {
    if (pid != program) continue;
    for (int i = 0; i < refused->kinds; i++) if (refused->kind[i].count > 1) sayRefused("end", secret, &refused->kind[i]);
    sayFull(secret, folders);
    sayCounted(secret);
    quit((status & 127) == 0 ? (status >> 8) & 255 : 128 + (status & 127));
  }
}

__attribute__((used, noreturn)) void begin(word *stack) {
  word count = stack[0];
  char **arguments = (char **)(stack + 1), **env = arguments + count + 1;
  word all = ~0UL;
  CALL(PRCTL, 4 /* PR_SET_DUMPABLE */, 0, 0, 0);
  CALL(SIGPROCMASK, 0, &all, 0, 8);
  while (count < 3) CALL(PAUSE_POLL, 0, 0, 0, 0);

  unsigned char opening[14], head[4], *input = 0;
  struct secret secret;
  struct instruction instructions[MOST_INSTRUCTIONS];
  struct allRefused refused;
  readWhole(opening, sizeof opening);
  int isWarm = begins(opening, "warm");
  unsigned short filterSize = opening[12] | opening[13] << 8;
  if ((!isWarm && !begins(opening, "cold")) || filterSize > MOST_INSTRUCTIONS) quitWithoutInput();
  writeSecret(&secret, opening + 4);
  readWhole((unsigned char *)instructions, filterSize * sizeof *instructions);
  refused.kinds = 0;
  refused.listener = filter(instructions, filterSize);

  int ends[2];
  if (CALL(PIPE2, ends, 02000000 /* O_CLOEXEC */, 0, 0) < 0) quit(CANNOT_RUN);
  long program = isWarm ? start(arguments + 2, env, ends) : 0;
  CALL(FCNTL, ends[1], 4 /* F_SETFL */, 04000 /* O_NONBLOCK */, 0);
  int signals = CALL(SIGNALFD, -1, &all, 8, 02004000 /* SFD_CLOEXEC | SFD_NONBLOCK */);

  word have = 0, size = 0, given = 0;
  enum { HEAD, BODY, GIVING, GIVEN } at = HEAD;
  for (;;) {
    struct watched watched[3] = {{signals, IN, 0}, {at < GIVING ? 0 : at == GIVING ? ends[1] : -1, at < GIVING ? IN : OUT, 0}, {refused.listener, IN, 0}};
    CALL(PAUSE_POLL, watched, 3, 0, 0);
    if (watched[2].got & IN) answer(&refused, &secret);
    unsigned int signal[32];
    while (CALL(READ, signals, signal, sizeof signal, 0) == sizeof signal) {
      if (signal[0] == SIG_CHLD) bury(program, &secret, &refused, arguments[1]);
      else if (signal[0] == SIG_TTIN) { if (at < GIVING) quitWithoutInput(); }
      else if (!program) { if (signal[0] == SIG_TERM || signal[0] == SIG_PWR) quitWithoutInput(); }
      else if (signal[0] != SIG_PIPE) CALL(KILL, -1, signal[0] == SIG_PWR ? SIG_KILL : signal[0], 0, 0);
    }
    if (!watched[1].got) continue;
    if (at == GIVING) {
      long n = CALL(WRITE, ends[1], input + given, size - given, 0);
      if (n > 0) given += n;
      /* A program that does not want its input is none the worse for it. */
      if (given == size || (n < 0 && n != -EAGAIN && n != -EINTR)) { CALL(CLOSE, ends[1], 0, 0, 0); at = GIVEN; }
      continue;
    }
    long n = at == HEAD ? CALL(READ, 0, head + have, sizeof head - have, 0) : CALL(READ, 0, input + have, size - have < READ_MORE ? size - have : READ_MORE, 0);
    if (n == -EAGAIN || n == -EINTR) continue;
    if (n > 0) have += n;
    if (n > 0 && at == HEAD && have == sizeof head) {
      size = head[0] | head[1] << 8 | head[2] << 16 | (word)head[3] << 24;
      long made = size <= MOST_INPUT ? call(MMAP, 0, size + 1, 3, 0x22 /* MAP_PRIVATE | MAP_ANONYMOUS */, (word)-1, 0) : -1;
      if (made < 0 && made > -4096) n = -1;
      input = (unsigned char *)made;
      have = 0;
      at = BODY;
    }
    if (n <= 0) quitWithoutInput();
    if (at < BODY || have < size) continue;
    if (!program) program = start(arguments + 2, env, ends);
    at = GIVING;
  }
}
