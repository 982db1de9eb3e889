"""Train one run, or with -m a sweep of them: `python train.py --help`."""

import os
import sys
from pathlib import Path

import hydra
from omegaconf import DictConfig

CONF = Path(__file__).parent / "conf"


@hydra.main(version_base="1.3", config_path="conf", config_name="train")
def job(cfg: DictConfig) -> None:
    """One run; heavy imports wait until there is something to train."""
    from robustseg.training.run import run

    run(cfg)


def main() -> int:
    """Run Hydra's main and turn what it raises into a message and an exit code."""
    from robustseg.sweeps import limit
    from robustseg.sweeps import outcomes as sweep

    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # let errors through; they are explained here
    code, interrupted = 0, False
    try:
        try:
            job()
            sys.stdout.flush()
        finally:
            limit.disarm()
    except BrokenPipeError:  # the reader, such as head, has seen enough
        from robustseg.terminal.pipe import close_quietly

        close_quietly()
    except Exception as error:
        from robustseg.configuration.messages import explain

        explained = explain(error, CONF)
        if explained is None:
            raise
        print(f"train.py: {explained}", file=sys.stderr)
        code = explained.exit_code
    except KeyboardInterrupt:
        interrupted = True
        if not limit.is_over():
            print("\nInterrupted. The same command resumes from the last epoch.", file=sys.stderr)
            code = 130
    code = max(code, sweep.summarise(interrupted=interrupted))
    if interrupted and limit.is_over():
        print("The time limit, minutes=…, is reached. The same command resumes.")
    return code


if __name__ == "__main__":
    sys.exit(main())
