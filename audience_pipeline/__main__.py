"""`python -m audience_pipeline`: the same command line as `audience-pipeline`, and nothing of its own."""

from audience_pipeline.cli import app

if __name__ == "__main__":
    app(prog_name="audience-pipeline")
