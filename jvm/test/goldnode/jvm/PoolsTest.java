package goldnode.jvm;

import static goldnode.jvm.Check.equal;

import java.util.Timer;
import java.util.TimerTask;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.FutureTask;
import java.util.concurrent.locks.ReentrantLock;

/** A forgotten pool is found from any of its threads and ended; this is what a new Java could break. */
final class PoolsTest {
    private PoolsTest() {}

    static void aThreadPoolEnds() throws Exception {
        equal(true, ended(Executors.newFixedThreadPool(1)));
    }

    static void aPoolWhoseWorkersHoldOddTasksEnds() throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(1);
        CompletableFuture<Thread> worker = new CompletableFuture<>();
        ReentrantLock lock = new ReentrantLock();
        pool.execute(new FutureTask<>(() -> worker.complete(Thread.currentThread()) && lock.tryLock()));
        Pools.shutdown(worker.get(), false);
        equal(true, pool.isShutdown());
    }

    static void aTimedPoolEnds() throws Exception {
        equal(true, ended(Executors.newScheduledThreadPool(1)));
    }

    static void aForkJoinPoolEnds() throws Exception {
        equal(true, ended(new ForkJoinPool(1)));
    }

    static void theCommonPoolOfTheJvmStays() throws Exception {
        equal(false, ended(ForkJoinPool.commonPool()));
    }

    static void aTimerEnds() throws Exception {
        BlockingQueue<Thread> threads = new ArrayBlockingQueue<>(1);
        Timer timer = new Timer();
        timer.schedule(new TimerTask() {
            @Override
            public void run() {
                threads.add(Thread.currentThread());
            }
        }, 0, 3_600_000);
        Thread thread = threads.take();
        Pools.shutdown(thread, true);
        thread.join(10_000);
        equal(false, thread.isAlive());
    }

    static void aLoopThatHoldsItsPoolBehindWrappersEnds() throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(1);
        Object loop = new Recorder().call("loopOf", new Class<?>[] {ExecutorService.class}, pool);
        Pools.shutdown((Thread) loop, false);
        equal(true, pool.isShutdown());
    }

    static void poolsOfTheHostAreOutOfReach() {
        ExecutorService pool = Executors.newFixedThreadPool(1);
        Pools.shutdown(new Thread(() -> pool.isShutdown()), true);
        equal(false, pool.isShutdown());
        pool.shutdown();
    }

    static void aThreadOfNoPoolIsLeftAlone() {
        Thread plain = new Thread(() -> {});
        Pools.shutdown(plain, true);
        equal(Thread.State.NEW, plain.getState());
    }

    private static boolean ended(ExecutorService pool) throws Exception {
        Thread worker = pool.submit(Thread::currentThread).get();
        Pools.shutdown(worker, false);
        return pool.isShutdown();
    }
}
