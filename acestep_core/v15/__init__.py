"""ACE-Step 1.5 (2B and XL; turbo, base, sft): latents [batch, frames, 64] at 25 frames a second, audio at 48 kHz."""
