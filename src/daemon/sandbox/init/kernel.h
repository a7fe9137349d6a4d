/* System calls, without a library: their numbers on the machines that nodes are, and what they take. */
typedef unsigned long word;


#if defined(__x86_64__)
enum { READ = 0, WRITE = 1, CLOSE = 3, MMAP = 9, SIGPROCMASK = 14, OPENAT = 257, PAUSE_POLL = 271, CLONE = 56, EXECVE = 59, EXIT = 231, WAIT4 = 61,
       KILL = 62, FCNTL = 72, STATFS = 137, PRCTL = 157, SIGNALFD = 289, DUP3 = 292, PIPE2 = 293, IOCTL = 16, SECCOMP = 317 };
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
       WAIT4 = 260, KILL = 129, FCNTL = 25, STATFS = 43, PRCTL = 167, SIGNALFD = 74, DUP3 = 24, PIPE2 = 59, IOCTL = 29, SECCOMP = 277 };
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

enum { EPERM = 1, EINTR = 4, EAGAIN = 11, EACCES = 13, IN = 1, OUT = 4, SIG_KILL = 9, SIG_PIPE = 13, SIG_TERM = 15, SIG_CHLD = 17, SIG_TTIN = 21, SIG_PWR = 30, CANNOT_RUN = 126, NO_PROGRAM = 127, NO_INPUT = 125 };

struct watched { int fd; short wanted, got; };

static void quit(int code) { for (;;) CALL(EXIT, code, 0, 0, 0); }
