"""Kernels for nbval: on Linux each is a fork of a process that has imported what the chapters import, which takes three seconds."""

import multiprocessing
import os
import sys
import time
from unittest import mock

from jupyter_client.provisioning import local_provisioner

IMPORTED = """ipykernel.debugger ipykernel.ipkernel ipykernel.kernelapp ipywidgets matplotlib.pyplot scipy.integrate scipy.optimize
  scipy.stats sklearn.datasets sklearn.decomposition torch torch._dynamo torch.optim vae_edu.checkup vae_edu.explorers"""
FIGURES = {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}  # what a kernel sets before matplotlib is imported

fork = multiprocessing.get_context("forkserver") if sys.platform == "linux" else None
start_process = local_provisioner.launch_kernel


def run(arguments, folder, environment):
    """A kernel, in a process that was forked for it."""
    os.setsid()  # a signal to the kernel's group is for nobody else
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment, JPY_PARENT_PID=str(os.getppid()))  # with which it ends
    from ipykernel.kernelapp import IPKernelApp

    IPKernelApp.launch_instance(arguments)


def launch_kernel(command, env=None, cwd=None, **options):
    """Start a kernel by its command (python -m ipykernel_launcher -f file), with figures whatever the tests have set."""
    env = (env or os.environ) | FIGURES
    if fork is None:
        return start_process(command, env=env, cwd=cwd, **options)
    with mock.patch.dict(os.environ, FIGURES):  # for the process that is forked, which starts with the first kernel
        process = fork.Process(target=run, args=(command[command.index("-f") :], cwd or os.getcwd(), dict(env)))
        process.start()
    while os.getpgid(process.pid) != process.pid:
        time.sleep(0.001)
    process.poll, process.wait = lambda: process.exitcode, process.join  # as jupyter_client calls them
    process.send_signal = lambda number: os.kill(process.pid, number)
    process.stdin = process.stdout = process.stderr = None
    return process


def use():
    local_provisioner.launch_kernel = launch_kernel
    if fork:
        fork.set_forkserver_preload(IMPORTED.split())
