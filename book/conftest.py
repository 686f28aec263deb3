"""nbval re-runs the notebooks as Jupyter does: no progress bars, and a trailing semicolon silences a line.

On Linux a kernel is a fork of a process that has imported what the chapters import, which takes each of them three seconds.
"""

import multiprocessing
import os
import sys
import time
from unittest import mock

from jupyter_client.provisioning import local_provisioner
from nbval.kernel import RunningKernel

IMPORTED = """ipykernel.kernelapp ipykernel.ipkernel ipywidgets matplotlib.pyplot scipy.integrate scipy.optimize scipy.stats
  sklearn.datasets sklearn.decomposition torch torch._dynamo torch.optim vae_edu.checkup vae_edu.explorers"""
FIGURES = {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}  # what a kernel sets before matplotlib is imported

os.environ["TQDM_DISABLE"] = "1"
fork = multiprocessing.get_context("forkserver") if sys.platform == "linux" else None
start_process = local_provisioner.launch_kernel


def execute_cell_input(self, cell_input, allow_stdin=None):
    """nbval's own, but with history, without which IPython does not see the semicolon."""
    return self.kc.execute(cell_input, store_history=True, allow_stdin=allow_stdin, stop_on_error=False)


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


RunningKernel.execute_cell_input = execute_cell_input
local_provisioner.launch_kernel = launch_kernel
if fork:
    fork.set_forkserver_preload(IMPORTED.split())
