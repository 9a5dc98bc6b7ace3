"""``python -m zkwm_cli``: the command line where no script is installed, as under torchrun."""

from zkwm_cli.start import run

if __name__ == "__main__":
    run()
