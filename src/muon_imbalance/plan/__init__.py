"""From configuration to what is run: experiments, sweeps, jobs, files, figures. No torch is imported here."""
