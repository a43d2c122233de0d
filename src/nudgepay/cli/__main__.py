"""`python -m nudgepay.cli`."""

from nudgepay.cli.main import main

if __name__ == "__main__":
    main()
