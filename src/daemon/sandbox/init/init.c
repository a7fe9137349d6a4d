/*
 * The first process of every cell, and the only one of a container that holds a network namespace. It uses no library.
 *
 *   init FOLDERS PROGRAM [ARGUMENT...]
 *
 * Its standard input begins with "cold" or "warm" and 8 bytes that the program never learns. Then comes the input of one task: 4
 * bytes of length (little-endian), and that many bytes. Only when all of it has come does the program get it, through a pipe as its
 * standard input, and then its end. A cold cell's program is started only then, a warm one's before. When whoever gives the input
 * goes away earlier, be it the daemon or the engine, all ends with exit code 125: a cold program never ran, and a warm one never sees
 * an end that nobody meant. So it does at TTIN, if something of the input is still to come, and at TERM and PWR while there is no
 * program. TERM and its like it hands on to every process of the cell; at PWR it kills them. It buries orphans, and ends with the
 * program's exit code, or 128 and the signal that ended it. The program cannot trace it.
 *
 * In the end it says on standard error what the kernel counted, in lines that begin with "orchestrator-end" and the 8 bytes: nobody
 * else could, when the cell is gone. FOLDERS is a list, with colons, of file systems in memory: which of them are full is said, too.
 *
 * Without arguments it waits for ever.
 */
typedef unsigned long word;

#define READ_MORE 65536
#define MOST_INPUT (16u << 20)

#if defined(__x86_64__)
enum { READ = 0, WRITE = 1, CLOSE = 3, MMAP = 9, SIGPROCMASK = 14, OPENAT = 257, PAUSE_POLL = 271, CLONE = 56, EXECVE = 59, EXIT = 231, WAIT4 = 61,
       KILL = 62, FCNTL = 72, STATFS = 137, PRCTL = 157, SIGNALFD = 289, DUP3 = 292, PIPE2 = 293 };
static long call(long n, word a, word b, word c, word d, word e, word f) {
  long result;
  register word r10 __asm__("r10") = d;
  register word r8 __asm__("r8") = e;
  register word r9 __asm__("r9") = f;
  __asm__ volatile("syscall" : "=a"(result) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
  return result;
}
__asm__(".globl _start\n_start: mov %rsp, %rdi\n and $-16, %rsp\n call begin\n");
#elif defined(__aarch64__)
enum { READ = 63, WRITE = 64, CLOSE = 57, MMAP = 222, SIGPROCMASK = 135, OPENAT = 56, PAUSE_POLL = 73, CLONE = 220, EXECVE = 221, EXIT = 94,
       WAIT4 = 260, KILL = 129, FCNTL = 25, STATFS = 43, PRCTL = 167, SIGNALFD = 74, DUP3 = 24, PIPE2 = 59 };
static long call(long n, word a, word b, word c, word d, word e, word f) {
  register long x8 __asm__("x8") = n;
  register word x0 __asm__("x0") = a;
  register word x1 __asm__("x1") = b;
  register word x2 __asm__("x2") = c;
  register word x3 __asm__("x3") = d;
  register word x4 __asm__("x4") = e;
  register word x5 __asm__("x5") = f;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
  return (long)x0;
}
__asm__(".globl _start\n_start: mov x0, sp\n bl begin\n");
#else
#error "another machine needs its numbers of system calls here"
#endif

#define CALL(n, a, b, c, d) call(n, (word)(a), (word)(b), (word)(c), (word)(d), 0, 0)

enum { EINTR = 4, EAGAIN = 11, EACCES = 13, IN = 1, OUT = 4, SIG_KILL = 9, SIG_PIPE = 13, SIG_TERM = 15, SIG_CHLD = 17, SIG_TTIN = 21, SIG_PWR = 30, CANNOT_RUN = 126, NO_PROGRAM = 127, NO_INPUT = 125 };

struct watched { int fd; short wanted, got; };

static word length(const char *text) { word n = 0; while (text[n]) n++; return n; }
static void quit(int code) { for (;;) CALL(EXIT, code, 0, 0, 0); }
static void say(const char *one, const char *two, word twoLength, const char *three) {
  CALL(WRITE, 2, one, length(one), 0);
  CALL(WRITE, 2, two, twoLength, 0);
  CALL(WRITE, 2, three, length(three), 0);
}

static void quitWithoutInput(void) {
  say("orchestrator: ", "", 0, "its input did not come whole: it is ended without having had any of it\n");
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
  say("orchestrator: ", name, length(name), error == -2 ? " is not there to be run\n" : " cannot be run\n");
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

static int begins(const unsigned char *text, const char *with) {
  for (word i = 0; with[i]; i++) if (text[i] != with[i]) return 0;
  return 1;
}

/* How lines of the end begin. */
struct end { char text[35]; };

static void writeEnd(struct end *end, const unsigned char *secret) {
  const char *word = "orchestrator-end ";
  for (int i = 0; i < 17; i++) end->text[i] = word[i];
  for (int i = 0; i < 16; i++) {
    int half = i % 2 ? secret[i / 2] & 15 : secret[i / 2] >> 4;
    end->text[17 + i] = half < 10 ? '0' + half : 'a' + half - 10;
  }
  end->text[33] = ' ';
  end->text[34] = 0;
}

/* What the kernel counted of this cell, with either version of its control groups: each file is one line. */
static void sayCounted(const struct end *end) {
  static const char files[][48] = {
      "/sys/fs/cgroup/cpuacct/cpuacct.usage", "/sys/fs/cgroup/memory/memory.max_usage_in_bytes",
      "/sys/fs/cgroup/memory/memory.oom_control", "/sys/fs/cgroup/pids/pids.events",
      "/sys/fs/cgroup/cpu.stat", "/sys/fs/cgroup/memory.peak", "/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/pids.events"};
  char text[512];
  for (word i = 0; i < sizeof files / sizeof *files; i++) {
    long fd = CALL(OPENAT, -100 /* AT_FDCWD */, files[i], 02000000 /* O_CLOEXEC */, 0);
    if (fd < 0) continue;
    long n = CALL(READ, fd, text, sizeof text - 1, 0);
    CALL(CLOSE, fd, 0, 0, 0);
    if (n <= 0) continue;
    for (long at = 0; at < n; at++) if (text[at] == '\n') text[at] = ' ';
    text[n] = '\n';
    say(end->text, files[i], length(files[i]), " ");
    CALL(WRITE, 2, text, n + 1, 0);
  }
}

/* Says of which folders, "/tmp:/data", nothing is left. */
static void sayFull(const struct end *end, const char *folders) {
  struct { long type, size; word blocks, free, available, files, freeFiles; long rest[16]; } about;
  char one[256];
  while (*folders) {
    word n = 0;
    while (folders[n] && folders[n] != ':') { if (n < 255) one[n] = folders[n]; n++; }
    one[n < 255 ? n : 255] = 0;
    if (n > 0 && CALL(STATFS, one, &about, 0, 0) == 0 && about.blocks > 0 && (about.free == 0 || about.freeFiles == 0))
      say(end->text, "full ", 5, ""), say(one, "", 0, "\n");
    folders += folders[n] ? n + 1 : n;
  }
}

/* Ends as the program did, if it has ended; buries whoever else has. */
static void bury(long program, const struct end *end, const char *folders) {
  int status;
  for (long pid; (pid = CALL(WAIT4, -1, &status, 1, 0)) > 0;) {
    if (pid != program) continue;
    sayCounted(end);
    sayFull(end, folders);
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

  unsigned char opening[12], head[4], *input = 0;
  struct end end;
  for (word have = 0; have < sizeof opening;) {
    long n = CALL(READ, 0, opening + have, sizeof opening - have, 0);
    if (n > 0) have += n;
    else if (n != -EINTR) quitWithoutInput();
  }
  int isWarm = begins(opening, "warm");
  if (!isWarm && !begins(opening, "cold")) quitWithoutInput();
  writeEnd(&end, opening + 4);

  int ends[2];
  if (CALL(PIPE2, ends, 02000000 /* O_CLOEXEC */, 0, 0) < 0) quit(CANNOT_RUN);
  long program = isWarm ? start(arguments + 2, env, ends) : 0;
  CALL(FCNTL, ends[1], 4 /* F_SETFL */, 04000 /* O_NONBLOCK */, 0);
  int signals = CALL(SIGNALFD, -1, &all, 8, 02004000 /* SFD_CLOEXEC | SFD_NONBLOCK */);

  word have = 0, size = 0, given = 0;
  enum { HEAD, BODY, GIVING, GIVEN } at = HEAD;
  for (;;) {
    struct watched watched[2] = {{signals, IN, 0}, {at < GIVING ? 0 : at == GIVING ? ends[1] : -1, at < GIVING ? IN : OUT, 0}};
    CALL(PAUSE_POLL, watched, 2, 0, 0);
    unsigned int signal[32];
    while (CALL(READ, signals, signal, sizeof signal, 0) == sizeof signal) {
      if (signal[0] == SIG_CHLD) bury(program, &end, arguments[1]);
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
