"""Many of gunicorn's stock clients at a time: threads, processes, shared clients, bursts of connections."""

import multiprocessing
import os
import signal
import socket
import struct

from gunicorn.dirty import DirtyClient, DirtyError, close_dirty_client, get_dirty_client

from checks import APP, LONG, SOCKET, cancel, check, equal, in_threads, main, raises


def own_answers(client, name, turns):
    """Whether calls and streams in turn give `client` its own answers and nobody else's."""
    for turn in range(turns):
        tag = f"{name}.{turn}"
        if client.execute(APP, "echo", tag)["args"] != [tag]:
            return False
        length = turn % 7
        if list(client.stream(APP, "count", length)) != list(range(length)):
            return False
    return True


def in_process(name):
    # A process that waits for ever would keep the test waiting as well.
    signal.alarm(30)
    with DirtyClient(SOCKET) as client:
        return own_answers(client, name, 25)


@check
def threads_with_a_client_each_get_their_own_answers():
    def work(number):
        with DirtyClient(SOCKET) as client:
            return own_answers(client, f"thread {number}", 25)

    equal(in_threads(8, work), [True] * 8)


@check
def threads_with_the_client_of_the_thread_get_their_own_answers():
    def work(number):
        client = get_dirty_client()
        answers = own_answers(client, f"local {number}", 10)
        close_dirty_client()
        return answers

    equal(in_threads(8, work), [True] * 8)


@check
def threads_that_share_one_client_get_their_own_answers():
    with DirtyClient(SOCKET) as client:

        def work(number):
            return all(client.execute(APP, "echo", number, turn)["args"] == [number, turn] for turn in range(10))

        equal(in_threads(8, work), [True] * 8)


@check
def processes_get_their_own_answers():
    # Started afresh, not forked: this process has threads.
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        equal(pool.map(in_process, [f"process {number}" for number in range(6)]), [True] * 6)


@check
def the_two_workers_work_at_the_same_time():
    # Both streams have begun, and neither ends by itself.
    with DirtyClient(SOCKET) as one, DirtyClient(SOCKET) as other:
        streams = [client.stream(APP, "slow_count", 2, LONG) for client in (one, other)]
        equal([next(stream) for stream in streams], [0, 0])
        for client, stream in zip((one, other), streams):
            cancel(client, stream)
            with raises(DirtyError):
                next(stream)


@check
def no_call_waits_behind_a_busy_worker_while_the_other_is_idle():
    # gunicorn deals calls out in turn, so every second one would wait for the stream.
    with DirtyClient(SOCKET) as busy, DirtyClient(SOCKET) as client:
        stream = busy.stream(APP, "slow_count", 2, LONG)
        equal(next(stream), 0)
        for number in range(10):
            equal(client.execute(APP, "echo", number)["args"], [number])
        cancel(busy, stream)
        with raises(DirtyError):
            next(stream)


@check
def two_hundred_clients_connect_while_the_arbiter_is_stopped():
    # The stock client's sockets have a timeout, so a full backlog (gunicorn's holds 100) fails them at once.
    with DirtyClient(SOCKET) as client:
        equal(client.execute(APP, "echo", 0)["args"], [0])
        credentials = client._sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        arbiter, _, _ = struct.unpack("3i", credentials)
        clients = [DirtyClient(SOCKET) for _ in range(200)]
        os.kill(arbiter, signal.SIGSTOP)
        try:
            for burst in clients:
                burst.connect()
        finally:
            os.kill(arbiter, signal.SIGCONT)
        for number, burst in enumerate(clients):
            equal(burst.execute(APP, "echo", number)["args"], [number])
            burst.close()


# The processes that the checks start import this module.
if __name__ == "__main__":
    main()
