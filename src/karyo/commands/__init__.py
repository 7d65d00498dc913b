"""The `karyo` command: one module per subcommand, nothing heavy imported before it is needed."""

import errno
import sys

import typer

from karyo import __version__
from karyo.commands.best import best
from karyo.commands.compare import compare
from karyo.commands.crop import crop
from karyo.commands.download import download
from karyo.commands.draw import draw_app
from karyo.commands.export import export
from karyo.commands.folds import EXAMPLE as FOLDS_EXAMPLE
from karyo.commands.folds import folds
from karyo.commands.karyotype import EXAMPLES, karyotype
from karyo.commands.measure import measure_app
from karyo.commands.predict import predict
from karyo.commands.preprocess import preprocess
from karyo.commands.serve import serve
from karyo.commands.show import show
from karyo.commands.suspects import suspects
from karyo.errors import KaryoError, SettingsError

app = typer.Typer(
    name="karyo",
    help="Recognise human chromosomes: train, measure and use classifiers of chromosome images.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(download)
app.command()(crop)
app.command()(preprocess)
app.command()(show)
app.command(epilog=FOLDS_EXAMPLE)(folds)
app.command()(compare)
app.command()(best)
app.command()(suspects)
app.command()(export)
app.command()(predict)
app.command(epilog=EXAMPLES)(karyotype)
app.command()(serve)
app.add_typer(measure_app, name="measure")
app.add_typer(draw_app, name="draw")

# What the extras of the package bring, as far as a command may ask for it.
_EXTRAS = {
    "inference": {"onnxruntime"},
    # It brings matplotlib too, but what lacks that and not scipy is a report.
    "karyotype": {"scipy"},
    "serve": {"apiflask", "flask", "prometheus_client", "swagger_ui_bundle", "waitress"},
    "labels": {"cleanlab", "pandas", "sklearn"},
    "train": {
        *("albumentations", "hydra", "jinja2", "joblib", "matplotlib", "omegaconf", "onnx", "onnxscript"),
        *("pytorch_lightning", "safetensors", "tensorboard", "timm", "torch", "torchmetrics", "torchvision"),
    },
}

# Everything after the name, --help included, belongs to Hydra.
_HYDRA = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


@app.command(context_settings=_HYDRA, add_help_option=False)
def train(context: typer.Context) -> None:
    """Train a network, or sweep settings with -m; the same as `python src/train.py`."""
    from karyo.training.application import train as application

    sys.argv = ["karyo train", *context.args]
    application()


@app.command(context_settings=_HYDRA, add_help_option=False)
def evaluate(context: typer.Context) -> None:
    """Measure a trained network; the same as `python src/evaluate.py`."""
    from karyo.training.application import evaluate as application

    sys.argv = ["karyo evaluate", *context.args]
    application()


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"karyo {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_print_version, is_eager=True, help="Show the version."),
) -> None:
    pass


def main() -> None:
    """Run the command line; a user's mistake is one sentence and an exit code."""
    try:
        app()
    except KaryoError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:
        # Wherever it shows, also on a screen that is a file: the disk is full.
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        print(f"Error: nothing more can be written: {error.strerror}; make room and try again", file=sys.stderr)
        sys.exit(KaryoError.exit_code)
    except ModuleNotFoundError as error:
        extra = _extra_of(error.name)
        if extra is None:
            raise
        print(f"Error: this needs {error.name}, which is not installed; pip install 'karyo[{extra}]'", file=sys.stderr)
        sys.exit(SettingsError.exit_code)


def _extra_of(module: str | None) -> str | None:
    """Name the extra that brings a module which a smaller installation lacks; None for a defect of the program."""
    package = (module or "").partition(".")[0]
    return next((extra for extra, packages in _EXTRAS.items() if package in packages), None)
